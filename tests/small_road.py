"""A road of few images and a small net, for the tests that walk it end to end."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from roadworthy import environment
from support import Run

ROOT = Path(__file__).parents[1]

SMALL: dict[str, Any] = {
    "generate": {"scale": 0.1},
    "backbone": {"name": "resnet18"},
    "pretrain": {"epochs": 1},
    "train": {"epochs": 1},
    "validate": {"min_per_class": 3, "max_unreadable": 0.2, "max_conflicts": 0.2},
    "evaluate": {"bootstrap": 100, "stress": 10, "explain": 1},
    "split": {"val": 0.2, "test": 0.2},
    # What is tested is the way, not how well so few images can be learned.
    "promote": {"floors": {"accuracy": 0.01}, "max_ece": 1.0, "min_stress": 0.0, "min_scenes": 0.0},
}


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, section by section."""
    result = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if nested else value
    return result


def lay(folder: Path, changes: dict[str, Any] = SMALL) -> None:
    """Copy this checkout to `folder`, without images or results, and with `changes` of its settings."""
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in tracked:
        if name not in ("dvc.lock", "data.dvc") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings = merged(settings, changes)
    for task in settings["tasks"].values():
        task.pop("promote", None)
        task["train"] = {k: v for k, v in task["train"].items() if k not in ("epochs", "unfreeze")}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def runner(folder: Path, **own: str) -> Run:
    """How to run a command in `folder`, with its own code and state, and variables of its own."""
    variables = {**os.environ, **environment.SWITCHES, **environment.state(folder), **own}
    variables["PYTHONPATH"] = str(folder / "src")
    # Nothing of the person who runs the tests.
    variables.pop("AWS_PROFILE", None)

    def run(*command: str, ok: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**variables, **changes},
            capture_output=True,
            text=True,
            check=False,
        )
        if ok and done.returncode:
            raise AssertionError(
                f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    return run


def commit(run: Run, message: str) -> None:
    """All that has changed, should anything have."""
    run("git", "add", "-A")
    if run("git", "status", "--porcelain").stdout:
        run("git", "commit", "-qm", message)


def begin(run: Run) -> None:
    """A git repository in the folder, with somebody who commits."""
    run("git", "init", "-q", "-b", "main")
    run("git", "config", "user.email", "road@example.com")
    run("git", "config", "user.name", "road")
