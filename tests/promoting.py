"""A project with everything that the gate needs, on SQLite and on PostgreSQL, and models that always
give one answer.

    from promoting import any_store, bundles, export ...  (all fixtures, those of `postgres` among them)
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from postgres import (
    any_store,
    postgres_server,
    postgres_store,
    quick_commits,
    sqlite_file,
    sqlite_store,
)
from roadworthy.params import TaskPlan, parse
from roadworthy.tracking import history, registry
from support import tiny_bundle, write_images

__all__ = [
    "any_store",
    "postgres_server",
    "postgres_store",
    "quick_commits",
    "sqlite_file",
    "sqlite_store",
]

# Of the forty test images thirty are cars: a model that always says car is right in 0.75.
CAR, ALSO_CAR, NOT_CAR, SEEN_CAR = "car", "also car", "not car", "seen car"
BIAS = {CAR: 50.0, ALSO_CAR: 60.0, NOT_CAR: -50.0, SEEN_CAR: 55.0}
IMAGES, CARS, TESTED = 42, 30, 40
# What models that see nothing can pass: they are here to be told apart, not to be good.
LAX = {
    "floors": {"accuracy": 0.5},
    "class_drop": 1.0,
    "slice_drop": 1.0,
    "max_ece": 1.0,
    "min_stress": 0.0,
    "max_stress_drop": 1.0,
    "max_slowdown": 1000.0,
    "bootstrap": 200,
}
Export = Callable[[str], Path]
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.org")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("pictures"), IMAGES)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    trained = [sha256(path) for path in pictures[TESTED:]]
    seen = {name: trained + ([sha256(pictures[0])] if name == SEEN_CAR else []) for name in BIAS}
    return {
        name: tiny_bundle(folder / name, bias=bias, seen=seen[name]) for name, bias in BIAS.items()
    }


@pytest.fixture
def project(any_store: str, tmp_path: Path, pictures: list[Path]) -> Path:
    """A project whose training and split are done and committed, as the current folder."""
    shutil.copytree(pictures[0].parent, tmp_path / "data")
    rows = {
        "path": [f"data/{path.name}" for path in pictures],
        "sha256": [sha256(path) for path in pictures],
        "label": ["car"] * CARS + ["not_car"] * (IMAGES - CARS),
        "source": "drawn",
        "width": 32,
        "height": 24,
        "brightness": [n / IMAGES for n in range(IMAGES)],
        "sharpness": 0.1,
        "split": ["test"] * TESTED + ["train"] * (IMAGES - TESTED),
    }
    road = tmp_path / "artifacts/car"
    for stage in ("train", "split", "validate"):
        (road / stage).mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(road / "split/split.parquet")
    (road / "validate/verdict.json").write_text('{"passed": true}')
    (road / "train/model.safetensors").write_bytes(b"weights")
    (road / "train/train.json").write_text('{"backbone": null}')
    (road / "train/history.csv").write_text("epoch,train/loss\n0,0.5\n1,0.4\n")
    (tmp_path / "params.yaml").write_text("tasks: {}\n")
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0123abcd.dir\n  path: data\n")
    git("init", "-q")
    git("add", "params.yaml", "data.dvc")
    git(*AUTHOR, "commit", "-qm", "begun")
    return tmp_path


@pytest.fixture
def export(project: Path, bundles: dict[str, Path]) -> Export:
    """Put a bundle in the place where the stage `export` leaves it."""

    def put(name: str) -> Path:
        target = project / "artifacts/car/export"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(bundles[name], target)
        return target

    return put


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def plan(**settings: Any) -> TaskPlan:
    """The plan of a committed params.yaml with these rules."""
    text = {
        "tasks": {"car": {"kind": "binary", "images": "data"}},
        "evaluate": {"stress": 4},
        "promote": {**LAX, **settings},
    }
    path = Path("params.yaml")
    if path.read_text() != json.dumps(text):
        path.write_text(json.dumps(text))
        git(*AUTHOR, "commit", "-qam", "other rules")
    return parse(json.dumps(text)).task("car")


def aliases() -> dict[str, int]:
    found = {alias: registry.by_alias("car", alias) for alias in registry.ALIASES}
    return {alias: version.number for alias, version in found.items() if version}


def verdicts() -> list[str]:
    return [decision.decision for decision in history.read("car")]
