"""A road that is walked in seconds: real flow, DVC, registry and gate; stages that only pretend.

Its first champion is wrong in most cases. Whatever is trained later is right in most: better for
certain than the first one, and a tie with any other.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import stand_in
from roadworthy.layout import STAGES

ROOT = Path(__file__).parents[1]
CODE = (str(ROOT), str(ROOT / "src"))
TASK = stand_in.TASK
NEEDS: dict[str, list[str]] = {
    "plan": ["params.yaml"],
    "index": ["data", "delivery.json"],
    "validate": ["artifacts/car/index"],
    "split": ["artifacts/car/validate"],
    "prepare": ["artifacts/car/split"],
    "augment": ["artifacts/car/prepare"],
    "pretrain": ["artifacts/car/prepare"],
    "scenes": ["artifacts/car/prepare", "artifacts/pretrain"],
    "train": ["artifacts/car/prepare", "artifacts/car/scenes", "recipe.json"],
    "evaluate": ["artifacts/car/train"],
    "export": ["artifacts/car/evaluate", "artifacts/car/train"],
}
GOOD, BAD = "car", "not car"
"""What a model always says. Most test images are cars."""
IGNORED = ("data", "artifacts", "checkpoints", "mlruns", ".cache", "__pycache__")
GIT = ("-c", "user.name=a", "-c", "user.email=a@example.org")
# Models that see nothing are told apart by figures, not by being good.
RULES: dict[str, Any] = {
    "floors": {"accuracy": 0.2},
    "class_drop": 1.0,
    "slice_drop": 1.0,
    "max_ece": 1.0,
    "min_stress": 0.0,
    "max_stress_drop": 1.0,
    "max_slowdown": 1000.0,
    "bootstrap": 200,
}


def lay(folder: Path, pictures: list[Path], store: Path) -> None:
    """Make the project in `folder`, committed, with nothing walked yet.

    Args:
        pictures: `stand_in.IMAGES` of them.
        store: an empty SQLite store of MLflow.
    """
    (folder / "data").mkdir(parents=True)
    for path in pictures:
        shutil.copy(path, folder / "data")
    (folder / "mlruns").mkdir()
    shutil.copy(store, folder / "mlruns/mlflow.db")
    shutil.copy(stand_in.__file__, folder / "stand_in.py")
    (folder / "params.yaml").write_text(yaml.safe_dump(_settings()))
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": dict(map(_stage, STAGES))}))
    (folder / ".gitignore").write_text("".join(f"/{name}/\n" for name in IGNORED))
    git(folder, "init", "-q")
    subprocess.run(_python("-m", "dvc", "init", "-q"), cwd=folder, check=True)
    subprocess.run(_python("-m", "dvc", "add", "-q", "data"), cwd=folder, check=True)
    change(folder, 0, BAD, delivery=True)


def change(folder: Path, number: int, model: str = GOOD, delivery: bool = False) -> None:
    """Commit that this model shall be trained, perhaps from another delivery of images."""
    (folder / "recipe.json").write_text(json.dumps({"model": model, "number": number}))
    if delivery:
        (folder / "delivery.json").write_text(str(number))
    git(folder, "add", "-A")
    git(folder, *GIT, "commit", "-qm", f"number {number}")


def git(folder: Path, *arguments: str) -> str:
    """What git says there."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def _settings() -> dict[str, Any]:
    return {
        "tasks": {TASK: {"kind": "binary", "images": "data"}},
        "evaluate": {"stress": 4},
        "promote": RULES,
        "retrain": {"wait_minutes": 2.0},
    }


def _stage(name: str) -> tuple[str, dict[str, Any]]:
    outs: list[Any] = [{f"artifacts/{TASK}/{name}": {"persist": True}}]
    stage: dict[str, Any] = {"cmd": f"python stand_in.py {name}", "deps": NEEDS[name]}
    if name in ("plan", "pretrain"):
        return name, {**stage, "outs": [{f"artifacts/{name}": {"persist": True}}]}
    if name == "split":
        outs.append({f"splits/{TASK}.csv": {"persist": True, "cache": False}})
    return name, {"foreach": [TASK], "do": {**stage, "outs": outs}}


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
