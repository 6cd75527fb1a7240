"""A stage of the cheap road: it leaves what the real one leaves, in the way it does, in a moment.

    python stand_in.py STAGE

`recipe.json` says which model is wanted, `delivery.json` which delivery of images these are.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from roadworthy import layout

TASK = "car"
IMAGES, MOST, TESTED = 42, 30, 40
STEPS, STEP_SECONDS = 12, 0.15
BUNDLES = "BUNDLES"
"""Variable with the folder of the models that can be wanted."""


def plan() -> None:
    """As the real one."""
    import yaml

    from roadworthy import params

    with layout.replacing(layout.PLAN) as out:
        text = yaml.safe_dump(params.load().task(TASK).as_dict())
        (out / f"{TASK}.yaml").write_text(text)


def index(out: Path) -> None:
    """A digest for each image."""
    found = {str(path): sha256(path) for path in _images()}
    layout.write_json(out / "manifest.json", found | {"delivery": _said("delivery")})


def validate(out: Path) -> None:
    """All of them are good."""
    layout.write_json(out / "verdict.json", {"passed": True, "delivery": _said("delivery")})


def split(out: Path) -> None:
    """The first ones are cars; the last two are for training."""
    import pandas as pd

    labels = ["car"] * MOST + ["not_car"] * (IMAGES - MOST)
    rows = {
        "path": [str(path) for path in _images()],
        "sha256": [sha256(path) for path in _images()],
        "label": labels,
        "source": "drawn",
        "width": 32,
        "height": 24,
        "brightness": [number / IMAGES for number in range(IMAGES)],
        "sharpness": 0.1,
        "split": ["test"] * TESTED + ["train"] * (IMAGES - TESTED),
    }
    pd.DataFrame(rows).to_parquet(out / "split.parquet")
    lines = [
        f"{digest[:16]},{place}"
        for digest, place in zip(rows["sha256"], rows["split"], strict=True)
    ]
    _write(Path(f"splits/{TASK}.csv"), "\n".join([*lines, _said("delivery")]))


def prepare(out: Path) -> None:
    """One shard of all bytes."""
    content = [path.read_bytes() for path in _images()]
    (out / "shard.bin").write_bytes(b"".join([*content, _said("delivery").encode()]))


def train(out: Path) -> None:
    """Step by step, from the last checkpoint, with a run in MLflow."""
    from roadworthy import params
    from roadworthy.tracking import lineage
    from roadworthy.tracking.runs import RunLog

    key = hashlib.sha256((_said("recipe") + _said("delivery")).encode()).hexdigest()
    kept = layout.CHECKPOINTS / f"{TASK}-{key[:12]}"
    plan = params.load_plan(layout.PLAN / f"{TASK}.yaml")
    begun = lineage.collect(lineage.params_hash(plan), None)
    run = kept / "run"
    with RunLog.start(
        TASK,
        params=plan.as_dict(),
        lineage=begun,
        resume=run.read_text() if run.is_file() else None,
        sample_every=0,
    ) as opened:
        _write(run, opened.run_id)
        first = _step(kept / "last")
        print(f"train: from step {first}" if first else "train: from the start")
        for step in range(first, STEPS):
            time.sleep(STEP_SECONDS)
            opened.metrics({"train/loss": 1 / (step + 1)}, step)
            _write(kept / "last", str(step + 1))
        (out / "model.safetensors").write_text(key)
        layout.write_json(out / "train.json", {"backbone": None})
        (out / "history.csv").write_text("epoch,train/loss\n0,0.5\n1,0.4\n")
        opened.trained(sha256(out / "model.safetensors"))
    shutil.rmtree(kept)


def export(out: Path) -> None:
    """A bundle of its own for each training: the real files, and the number in its figures."""
    wanted = json.loads(_said("recipe"))
    shutil.copytree(Path(os.environ[BUNDLES]) / wanted["model"], out, dirs_exist_ok=True)
    spec: dict[str, Any] = json.loads((out / "bundle.json").read_text())
    spec["metrics"]["loss"] = float(wanted["number"])
    layout.write_json(out / "bundle.json", spec)


def other(out: Path) -> None:
    """A word."""
    (out / "done.txt").write_text("done\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def _step(path: Path) -> int:
    try:
        return min(int(path.read_text()), STEPS)
    except (OSError, ValueError):
        return 0


def _said(name: str) -> str:
    """What `NAME.json` says."""
    return Path(f"{name}.json").read_text()


def _images() -> list[Path]:
    return sorted(Path("data").glob("*.png"))


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


OWN = {
    "index": index,
    "validate": validate,
    "split": split,
    "prepare": prepare,
    "train": train,
    "export": export,
}


def main(stage: str) -> None:
    """Run one stage."""
    if stage == "plan":
        plan()
        return
    target = layout.PRETRAIN if stage == "pretrain" else layout.folder(TASK, stage)
    with layout.replacing(target) as out:
        OWN.get(stage, other)(out)


if __name__ == "__main__":
    main(sys.argv[1])
