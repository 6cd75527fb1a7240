"""evaluate: what the trained network is worth, on images it has not seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image

from roadworthy import page
from roadworthy.data.transforms import centre
from roadworthy.evaluation import calibration, gallery, metrics, plots, report, slices, thresholds
from roadworthy.evaluation.metrics import Answers, Estimate
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import TaskPlan
from roadworthy.pipeline import record, train
from roadworthy.pipeline.train import Trained
from roadworthy.quality import shortcut
from roadworthy.tracking import store
from roadworthy.training.augmentation import Normalise
from roadworthy.training.history import read_history
from roadworthy.training.machine import set_threads

METRICS = "metrics.json"
CALIBRATION = "calibration.json"
PREDICTIONS = "predictions.parquet"
Picture = tuple[Figure | Image.Image, str]


def run(plan: TaskPlan) -> None:
    """Measure, write the report, and log it all to the model's run."""
    store.connect()  # before any work: nothing is measured that could not be recorded
    set_threads(plan.train.threads)
    trained = train.load(plan)
    raw = {split: logits(trained, split) for split in ("val", "test")}
    fitted = _fit(plan, trained, raw["val"])
    answers = {name: _answers(trained, name, values, fitted) for name, values in raw.items()}
    rows = {name: trained.data.rows.iloc[trained.data.places(name)] for name in ("train", *answers)}
    settings = plan.evaluate
    figures = {
        name: metrics.measure(given, settings.bootstrap, settings.confidence, plan.seed)
        for name, given in answers.items()
    }
    baseline = shortcut.accuracy(rows["train"], rows["test"], plan.seed)
    parts = slices.table(rows["test"], answers["test"].correct, settings.confidence)
    predictions = _predictions(trained, rows["test"], answers["test"])
    pictures = _pictures(plan, trained, answers["test"], raw["test"], predictions, fitted)
    with replacing(folder(plan.name, "evaluate")) as out:
        write_json(out / METRICS, _nested(figures, baseline))
        write_json(out / CALIBRATION, fitted)
        predictions.to_parquet(out / PREDICTIONS, index=False)
        predictions[["label", "predicted"]].to_csv(out / "confusion.csv", index=False)
        parts.to_csv(out / "slices.csv", index=False)
        (out / "pictures").mkdir()
        for name, (picture, _) in pictures.items():
            file = out / "pictures" / f"{name.lower().replace(' ', '_')}.png"
            file.write_bytes(page.png(picture))
        shown = _report(plan, figures, baseline, parts, rows, fitted, pictures)
        (out / "report.html").write_text(shown, encoding="utf-8")
        _log(plan, trained, figures, baseline, out)
    test = figures["test"]["accuracy"]
    print(
        f"evaluate {plan.name}: test accuracy {test.value:.3f} ({test.low:.3f} to {test.high:.3f}), "
        f"{baseline:.3f} from size and colour alone"
    )


def logits(trained: Trained, split: str) -> np.ndarray:
    """Raw outputs (N, 1 or C) of the network, in fp32, for a split in the order of the cache."""
    data = trained.data
    plain = Normalise(data.input)
    parts = []
    places = data.places(split)
    with torch.inference_mode():
        for start in range(0, len(places), 64):
            pixels = torch.from_numpy(data.pixels(places[start : start + 64]))
            parts.append(trained.network(plain(pixels)).float().numpy())
    return np.concatenate(parts)


def _fit(plan: TaskPlan, trained: Trained, raw: np.ndarray) -> dict[str, float | None]:
    """Temperature and threshold, from validation alone."""
    targets = trained.data.targets(trained.data.places("val"))
    temperature = calibration.fit_temperature(raw, targets)
    threshold = None
    if plan.kind == "binary":
        positive = to_probabilities(raw, temperature)[:, 1]
        threshold = thresholds.choose(positive, targets, plan.evaluate.threshold)
    return {"temperature": temperature, "threshold": threshold}


def _answers(
    trained: Trained, split: str, raw: np.ndarray, fitted: dict[str, float | None]
) -> Answers:
    probabilities = to_probabilities(raw, fitted["temperature"] or 1.0)
    predicted = probabilities.argmax(axis=1)
    if fitted["threshold"] is not None:
        predicted = (probabilities[:, 1] >= fitted["threshold"]).astype(np.int64)
    targets = trained.data.targets(trained.data.places(split))
    return Answers(targets, predicted, probabilities)


def _predictions(trained: Trained, rows: pd.DataFrame, answers: Answers) -> pd.DataFrame:
    labels = trained.data.labels
    said = answers.probabilities[np.arange(len(rows)), answers.predicted]
    table = pd.DataFrame(
        {
            "path": rows["path"].to_numpy(),
            "sha256": rows["sha256"].to_numpy(),
            "label": [labels[n] for n in answers.targets],
            "predicted": [labels[n] for n in answers.predicted],
            "probability": said,
        }
    )
    columns = {f"p_{label}": answers.probabilities[:, n] for n, label in enumerate(labels)}
    return pd.concat([table, pd.DataFrame(columns)], axis=1).round(6)


def _pictures(
    plan: TaskPlan,
    trained: Trained,
    answers: Answers,
    raw: np.ndarray,
    predictions: pd.DataFrame,
    fitted: dict[str, float | None],
) -> dict[str, Picture]:
    data = trained.data
    history = read_history(needed(plan.name, "train") / train.HISTORY)
    worst = gallery.worst(predictions, plan.evaluate.gallery)
    pixels = centre(data.pixels(data.places("test")[worst.index.to_numpy()]), data.input)
    found: dict[str, Picture] = {
        "Confusion": (plots.confusion(answers, data.labels), "Rows are the truth."),
        "Errors and doubts": (
            gallery.sheet(worst, pixels),
            "Wrong answers in red, then the right ones that were least sure; as the network saw them.",
        ),
        "Reliability": (
            plots.reliability(answers, to_probabilities(raw)),
            f"Temperature {fitted['temperature']:g}, fitted on validation.",
        ),
        "Training": (plots.training(history), "Per epoch; validation is never augmented."),
    }
    if fitted["threshold"] is not None:
        found["Threshold"] = (
            plots.curves(answers, fitted["threshold"]),
            f"The threshold was chosen on validation by the rule {plan.evaluate.threshold}.",
        )
    return found


def _nested(figures: dict[str, dict[str, Estimate]], baseline: float) -> dict[str, Any]:
    """The figures as `metrics.json` has them, six digits: enough, and stable to read in a diff."""
    found: dict[str, Any] = {"baseline": {"accuracy": round(baseline, 6)}}
    for split, estimates in figures.items():
        found[split] = {name: round(e.value, 6) for name, e in estimates.items()}
        for name, e in estimates.items():
            if name in metrics.FIGURES:
                found[split] |= {f"{name}_low": round(e.low, 6), f"{name}_high": round(e.high, 6)}
    return found


def _report(
    plan: TaskPlan,
    figures: dict[str, dict[str, Estimate]],
    baseline: float,
    parts: pd.DataFrame,
    rows: dict[str, pd.DataFrame],
    fitted: dict[str, float | None],
    pictures: dict[str, Picture],
) -> str:
    test = figures["test"]
    share = f"{plan.evaluate.confidence:.0%}"
    interval = f"{share} interval {test['accuracy'].low:.3f} to {test['accuracy'].high:.3f}"
    tiles = {
        "test accuracy": (f"{test['accuracy'].value:.3f}", interval),
        "size and colour alone": (f"{baseline:.3f}", "a forest that never sees the picture"),
        "test images": (str(len(rows["test"])), f"{len(rows['train'])} trained it"),
        "calibration error": (f"{test['ece'].value:.3f}", f"temperature {fitted['temperature']:g}"),
    }
    table = pd.DataFrame(
        [
            (name, e.value, f"{e.low:.3f} to {e.high:.3f}" if e.low < e.high else "")
            for name, e in test.items()
        ],
        columns=["figure", "test", f"{share} interval"],
    )
    tables = {"Figures": table, "Slices, the weakest first": parts}
    return report.render(f"Test drive: {plan.name}", tiles, tables, pictures)


def _log(
    plan: TaskPlan,
    trained: Trained,
    figures: dict[str, dict[str, Estimate]],
    baseline: float,
    out: Path,
) -> None:
    run = record.run_of(plan, trained)
    # Of validation the run has the figures of every epoch; another one under the same name would lie.
    values = {k: v for k, v in _nested(figures, baseline).items() if k != "val"}
    run.metrics({f"{split}/{name}": v for split in values for name, v in values[split].items()})
    run.artifact(out, "evaluate")
