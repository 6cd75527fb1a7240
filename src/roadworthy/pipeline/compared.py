"""An evaluation in MLflow, under names by which runs are compared."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.bundle.format import CARD
from roadworthy.evaluation import card, gallery, stress
from roadworthy.evaluation.findings import Findings
from roadworthy.tracking.runs import EVALUATION, RunLog


def nested(found: Findings) -> dict[str, Any]:
    """The figures as `metrics.json` has them, six digits: enough, and stable to read in a diff."""
    shown: dict[str, Any] = {"baseline": {"accuracy": round(found.baseline, 6)}}
    scenes = found.scenes.figures if found.scenes else None
    measured = {"test": found.figures, "val": found.validation, "scenes": scenes}
    for split, estimates in measured.items():
        if estimates is None:
            continue
        shown[split] = {}
        for name, e in estimates.items():
            ends = {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
            shown[split] |= {key: round(value, 6) for key, value in ends.items()}
    if not found.stress.empty:
        shown["stress"] = {"mean": round(stress.mean_accuracy(found.stress), 6)}
    return shown


def log(run: RunLog, found: Findings, predictions: pd.DataFrame, out: Path) -> None:
    """Everything into the run, under names by which MLflow compares runs."""
    figures = nested(found)
    # Of validation the run has the figures of every epoch; another one under the same name would lie.
    values = {
        f"{split}/{k}": v for split in figures if split != "val" for k, v in figures[split].items()
    }
    for row in found.classes.to_dict("records"):
        values |= {f"class/{_key(row['class'])}/{name}": row[name] for name in ("recall", "f1")}
    values |= {f"slice/{_key(r['slice'])}": r["accuracy"] for r in found.slices.to_dict("records")}
    for row in found.stress.to_dict("records"):
        values[f"stress/{_key(row['change'])}_{row['strength']}"] = row["accuracy"]
    for row in found.behaviour.to_dict("records"):
        values[f"behaviour/{_key(row['check'])}"] = row["figure"]
    for name, part in (("speed", found.speed), ("spent", found.spent)):
        numbers = asdict(part) if part else {}
        values |= {f"{name}/{k}": v for k, v in numbers.items() if not isinstance(v, str)}
    run.metrics({key: float(value) for key, value in values.items() if np.isfinite(value)})
    run.artifact(out, EVALUATION)
    run.text(card.write_card(found), f"{EVALUATION}/{CARD}")
    shown = ["sha256", "path", "label", "predicted", "probability"]
    run.table(predictions[shown], "predictions.json")
    # Of one model they are always the same; a name in MLflow also has a time, so they would add up.
    for shot in found.fixed if not run.files("images") else ():
        run.image(gallery.sheet([shot]), f"same images/{shot.label} {shot.sha256[:8]}")


def _key(name: Any) -> str:
    """The name as a part of a metric's: MLflow takes letters, digits and a few signs."""
    plain = "".join(c if c.isalnum() or c in "_-. " else " " for c in str(name))
    return " ".join(plain.split())
