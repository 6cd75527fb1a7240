"""How good the patch classifier is on real patches: `python -m benchmarks.uiuc --data FOLDER`.

The folder holds the training images of the UIUC Image Database for Car Detection as PNGs of
100 x 40, in `car/` and `background/`. Walks the road of the task `detector` in a temporary project,
with its settings in `params.yaml` but for the split, once for each seed: a seed draws another split,
other first weights and other random changes. What the test split says is only printed.
Five minutes on two quiet cores.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.audit import PARAMS, run
from benchmarks.reporting import Result
from roadworthy.data.ledger import SPLITS
from roadworthy.layout import STAGES, folder, read_json
from roadworthy.quality.units import units

TASK = "detector"
WALK = [name for name in STAGES if name not in ("plan", "pretrain", "export")]
SHARES = {"val": 0.15, "test": 0.25}


def main() -> None:
    """Walk once for each seed, print the table and what was misread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with `car` and `background`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        shutil.copytree(options.data, project / "data" / TASK / options.data.resolve().name)
        walks = [walk(project, seed, first=not n) for n, seed in enumerate(options.seeds)]
    rows = [row for row, _ in walks]
    print(Result("uiuc", "the patch classifier on real patches", rows, said(rows)).markdown())
    for row, wrong in walks:
        print(f"seed {row['seed']} misread:", ", ".join(wrong) or "none")


def walk(project: Path, seed: int, first: bool) -> tuple[dict[str, Any], list[str]]:
    """From the split (for the first seed, from the images) to the report.

    Returns:
        A row of the table, and the test images that were answered wrongly.
    """
    (project / "params.yaml").write_text(yaml.safe_dump(settings(seed)), encoding="utf-8")
    run(project, "plan")
    # Another seed draws all splits again, from the same manifest.
    for stage in WALK if first else WALK[WALK.index("split") :]:
        run(project, stage, "--task", TASK)
    return row(project, seed), misread(project)


def settings(seed: int) -> dict[str, Any]:
    """The project's own for this task, with another seed and the shares of this benchmark."""
    chosen = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    # Patches alone: there are no scenes to search.
    own = {"split": SHARES, "search": {"enabled": False}}
    chosen["tasks"] = {TASK: {**chosen["tasks"][TASK], **own}}
    chosen["pretrain"]["tasks"] = []
    # Neither changes an answer, and both take longer than the training.
    chosen["evaluate"] |= {"stress": 0, "explain": 0}
    return {**chosen, "seed": seed}


def row(project: Path, seed: int) -> dict[str, Any]:
    """What a walk left behind."""
    rows = pd.read_parquet(project / folder(TASK, "split") / "split.parquet")
    found = read_json(project / folder(TASK, "evaluate") / "metrics.json")
    shared = pd.Series(units(rows)).value_counts()
    return {
        "seed": seed,
        **{split: int((rows["split"] == split).sum()) for split in SPLITS},
        "near-duplicate groups": int((shared > 1).sum()),
        "accuracy": found["test"]["accuracy"],
        "ROC AUC": found["test"]["roc_auc"],
        "size and colour alone": found["baseline"]["accuracy"],
    }


def misread(project: Path) -> list[str]:
    """Test images with a wrong answer, and its probability."""
    table = pd.read_parquet(project / folder(TASK, "evaluate") / "predictions.parquet")
    wrong = table[table["label"] != table["predicted"]]
    names = ("/".join(Path(path).parts[-2:]) for path in wrong["path"])
    return [f"{name} ({p:.2f})" for name, p in zip(names, wrong["probability"], strict=True)]


def said(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over the seeds, as settings of the table."""
    accuracies = [row["accuracy"] for row in rows]
    spread = statistics.stdev(accuracies) if len(rows) > 1 else 0.0
    mean = f"{statistics.mean(accuracies):.4f}"
    return {"seeds": len(rows), "mean accuracy": mean, "standard deviation": f"{spread:.4f}"}


if __name__ == "__main__":
    main()
