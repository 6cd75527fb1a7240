"""A whole road, walked once for all journeys: a clone of this checkout with few images and a small net."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadworthy import environment
from support import Run

ROOT = Path(__file__).parents[2]

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


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The folder of the walked road, and how to run a command in it."""
    folder = tmp_path_factory.mktemp("road") / "project"
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
    settings = merged(settings, SMALL)
    for task in settings["tasks"].values():
        task.pop("promote", None)
        task["train"] = {k: v for k, v in task["train"].items() if k not in ("epochs", "unfreeze")}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    own = {**os.environ, **environment.SWITCHES, **environment.state(folder)}
    own["PYTHONPATH"] = str(folder / "src")

    def run(*command: str, ok: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=folder, env={**own, **changes}, capture_output=True, text=True, check=False
        )
        if ok and done.returncode:
            raise AssertionError(
                f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    run("git", "init", "-q", "-b", "main")
    run("git", "config", "user.email", "road@example.com")
    run("git", "config", "user.name", "road")
    run("roadworthy", "setup")
    # The gate asks from which commit a model comes.
    run("git", "add", "-A")
    run("git", "commit", "-qm", "begun")
    run("dvc", "repro")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "walked")
    run("roadworthy", "promote")
    return folder, run
