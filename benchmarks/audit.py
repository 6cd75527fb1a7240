"""How many planted label errors an audit finds: `python -m benchmarks.audit [TASK ...]`.

Draws the images, gives a twentieth of each task a wrong label, walks the road to the trained
network, and looks where the ranking of `roadworthy audit` puts them. With ResNet-50 that takes ten
minutes on two quiet cores; `--backbone resnet18 --scale 0.5` two.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from roadworthy import environment
from roadworthy.data.generated import generate

PARAMS = Path(__file__).parents[1] / "params.yaml"
SHARES = (0.05, 0.07, 0.10)


def main() -> None:
    """Plant, walk, look, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=["detector", "police", "car", "brand"])
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 5,000 images")
    parser.add_argument("--wrong", type=float, default=0.05, help="share of wrong labels")
    parser.add_argument("--backbone", default="", help="instead of the one in params.yaml")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "params.yaml").write_text(yaml.safe_dump(settings(options)), encoding="utf-8")
        generate(folder / "data", seed=7, scale=options.scale)
        run(folder, "plan")
        wrong = {task: plant(folder, task, options.wrong) for task in options.tasks}
        for task in options.tasks:
            for stage in ("index", "validate", "split", "prepare"):
                run(folder, stage, "--task", task)
        run(folder, "pretrain")
        found = []
        for task in options.tasks:
            run(folder, "train", "--task", task)
            start = time.perf_counter()
            run(folder, "audit", task)
            found.append(measure(folder, task, wrong[task], time.perf_counter() - start))
    print(pd.DataFrame(found).to_string(index=False))


def settings(options: argparse.Namespace) -> dict[str, object]:
    """The project's own, for these tasks alone."""
    chosen = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    chosen["tasks"] = {name: chosen["tasks"][name] for name in options.tasks}
    shared = [name for name in chosen["pretrain"]["tasks"] if name in options.tasks]
    chosen["pretrain"]["tasks"] = shared
    chosen["backbone"]["name"] = options.backbone or chosen["backbone"]["name"]
    # Few images at a small scale, and twice as many conflicts: neither is what is measured.
    chosen["validate"] = {"min_per_class": 3, "max_conflicts": 0.2, "max_unreadable": 0.2}
    return dict(chosen)


def plant(folder: Path, task: str, share: float) -> set[str]:
    """Write wrong labels into the task's `labels.csv`; returns the paths of their images."""
    run(folder, "index", "--task", task)
    rows = pd.read_parquet(folder / f"artifacts/{task}/index/manifest.parquet")
    rows = rows[rows["readable"].astype(bool) & rows["label"].notna()]
    # A wrong label on one of two exact copies is found without any network.
    rows = rows[~rows["sha256"].duplicated(keep=False)]
    rng = np.random.default_rng(7)
    chosen = rows.iloc[rng.choice(len(rows), round(share * len(rows)), replace=False)]
    names = sorted(rows["label"].unique())
    wrong = [rng.choice([n for n in names if n != label]) for label in chosen["label"]]
    inside = [Path(path).relative_to(f"data/{task}").as_posix() for path in chosen["path"]]
    table = pd.DataFrame({"path": inside, "label": wrong})
    table.to_csv(folder / f"data/{task}/labels.csv", index=False)
    return set(chosen["path"])


def measure(folder: Path, task: str, wrong: set[str], seconds: float) -> dict[str, object]:
    """A row of the table."""
    table = pd.read_csv(folder / f"artifacts/{task}/audit/suspects.csv", keep_default_na=False)
    planted = table["path"].isin(wrong)
    issues = planted[table["issue"] == "yes"]
    firsts = {
        f"in first {s:.0%}": f"{planted.head(round(s * len(table))).sum() / planted.sum():.0%}"
        for s in SHARES
    }
    return {
        "task": task,
        "images": len(table),
        "wrong": int(planted.sum()),
        "agreement": f"{(table['given'] == table['suggested']).mean():.0%}",
        **firsts,
        "probably wrong": len(issues),
        "of them wrong": f"{issues.mean():.0%}",
        "audit, s": round(seconds),
    }


def run(folder: Path, *verb: str) -> None:
    """`roadworthy VERB` in the project at `folder`."""
    command = [sys.executable, "-m", "roadworthy", *verb]
    own = {**os.environ, **environment.state(folder)}
    subprocess.run(command, cwd=folder, env=own, check=True)


if __name__ == "__main__":
    main()
