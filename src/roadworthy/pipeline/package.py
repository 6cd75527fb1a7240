"""`package`: the champions of the registry become a Bento, which holds all that serving them takes.

Two names are made of content: the BentoML model (bundles and their versions) and the Bento (that
model, the code that serves it, its settings). Packaging the same twice builds nothing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from roadworthy.errors import BundleError
from roadworthy.serving.settings import PREFIX
from roadworthy.serving.slim import Engine
from roadworthy.serving.store import MODEL, content_version, home, import_champions, point_latest

BENTO = "roadworthy-service"
"""Not `roadworthy`: BentoML would first import that package, and then serve the installed code."""
BENTOFILE = Path("bentofile.yaml")
BUILD_SECONDS = 300
REMEMBERED = 50
"""Decisions that the page shows, the newest."""
WORDS = 500
"""Characters of a decision's reason."""
START = """
import sys
from pathlib import Path
from roadworthy.serving.start import run
store = Path(sys.argv[1])
run(store / (store / "latest").read_text()).stop()
"""
"""What the service does when it starts."""


@dataclass(frozen=True)
class PackageResult:
    """What is ready to be served."""

    tag: str
    """Of the Bento, for `bentoml serve TAG`."""
    model: str
    """Tag of the BentoML model inside."""
    versions: dict[str, int]
    """By task, the champion's number in the registry."""
    built: bool
    """False: it was there already."""


def package(tasks: Sequence[str], engine: Engine = "auto", *, every: bool = False) -> PackageResult:
    """Build the Bento of the champions of `tasks`; a task without a champion is left out.

    A build that fails leaves the earlier Bento, and `roadworthy-service:latest` pointing to it.

    Args:
        tasks: names.
        engine: which graph of each bundle is packaged.
        every: whether a task without a champion is an error.

    Raises:
        BundleError: no task has a champion, or BentoML cannot build.
        TrackingError: the registry cannot be read.
    """
    from roadworthy.tracking import registry

    champions = {task: version for task in tasks if (version := registry.champion(task))}
    without = [task for task in tasks if task not in champions]
    if not champions or (every and without):
        raise BundleError(
            f"no champion among {', '.join(without) or 'no tasks'}: promote a model first"
        )
    bundles = {task: (registry.bundle_folder(v), v.number) for task, v in champions.items()}
    return build(bundles, engine, decisions(list(champions)))


def decisions(tasks: Sequence[str]) -> list[dict[str, Any]]:
    """How the champions of `tasks` became champions, oldest first, for the page.

    Raises:
        TrackingError: the history cannot be read.
    """
    from roadworthy.tracking import history

    moving = [one for one in history.read() if one.decision in history.MOVING and one.task in tasks]
    return [
        {
            "at": one.when,
            "task": one.task,
            "decision": one.decision,
            "version": one.to_version,
            "reason": one.reason[:WORDS],
        }
        for one in moving[-REMEMBERED:]
    ]


def build(
    bundles: Mapping[str, tuple[Path, int]],
    engine: Engine = "auto",
    history: Sequence[Mapping[str, object]] = (),
) -> PackageResult:
    """Import bundles (by task: folder, version in the registry) and build the Bento around them.

    Args:
        bundles: by task.
        engine: which graph of each.
        history: see `decisions`.

    Raises:
        BundleError: a bundle is incomplete, or BentoML cannot build.
    """
    model = import_champions(bundles, engine, history)
    version = content_version([model, _sources()])
    target = home() / "bentos" / BENTO / version
    built = not (target / "bento.yaml").is_file()
    if built:
        _build(version, target)
    point_latest(target)
    versions = {task: number for task, (_, number) in bundles.items()}
    return PackageResult(f"{BENTO}:{version}", model, versions, built)


def _build(version: str, target: Path) -> None:
    """Build in a store of its own, try it, then move: a Bento is whole and starts, or is not."""
    with _staging() as staging:
        built = staging / "bentos" / BENTO / version
        _run(["-m", "bentoml", "build", "--version", version], Path(), staging)
        # Python looks in its working folder first, so this is the Bento's code, not the installed.
        _run(["-c", START, str((staging / "models" / MODEL).resolve())], built / "src", staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        built.replace(target)


def _run(arguments: list[str], folder: Path, store: Path) -> None:
    # What the operator has set is for the service that will run, not for this trial of it.
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        subprocess.run(
            [sys.executable, "-B", *arguments],
            cwd=folder,
            env={**plain, "BENTOML_HOME": str(store)},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS,
        )
    except subprocess.CalledProcessError as failed:
        last = "\n".join(failed.stdout.strip().splitlines()[-8:])
        raise BundleError(f"the Bento cannot be built:\n{last}") from None
    except subprocess.TimeoutExpired:
        raise BundleError(f"building the Bento took over {BUILD_SECONDS} s") from None


@contextmanager
def _staging() -> Iterator[Path]:
    """A BentoML home beside the real one, with the same models."""
    (home() / "models").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=home()) as name:
        (Path(name) / "models").symlink_to((home() / "models").resolve())
        yield Path(name)


def _sources() -> dict[str, str]:
    """SHA-256 of every file that goes into the Bento."""
    try:
        settings = yaml.safe_load(BENTOFILE.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(
            f"{BENTOFILE} cannot be read ({error.strerror}): run this in the project's folder"
        ) from None
    found = {path for pattern in settings["include"] for path in Path().glob(pattern)}
    # A folder that is included is included with all that is below it.
    inside = {below for path in found if path.is_dir() for below in path.rglob("*")}
    paths = [BENTOFILE, *sorted(path for path in found | inside if path.is_file())]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
