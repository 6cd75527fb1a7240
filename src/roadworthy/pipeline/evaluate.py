"""evaluate: may this model drive? What the trained network is worth on images it has not seen.

The tables, `metrics.json`, the card and the pictures hold no clock: the same model gives the same
bytes. `report.html` also says how fast and how expensive it was here; DVC does not track it.
"""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image

from roadworthy import page
from roadworthy.bundle import speed
from roadworthy.bundle.format import CARD
from roadworthy.bundle.write import write_bundle
from roadworthy.data.transforms import centre
from roadworthy.evaluation import (
    behaviour,
    calibration,
    card,
    explanations,
    gallery,
    metrics,
    plots,
    report,
    slices,
    stress,
    thresholds,
)
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.figures import confusion_matrix
from roadworthy.evaluation.findings import Findings, Fitted, Shot, Speed
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import TaskPlan
from roadworthy.pipeline import record, searched, train
from roadworthy.pipeline.compared import log, nested
from roadworthy.pipeline.spec import bundle_spec
from roadworthy.pipeline.subject import Subject, logits
from roadworthy.pipeline.subject import answers as answers_of
from roadworthy.pipeline.train import Trained
from roadworthy.progress import bar
from roadworthy.quality import shortcut
from roadworthy.tracking import energy, store
from roadworthy.training.augmentation import Normalise
from roadworthy.training.history import read_history
from roadworthy.training.machine import set_threads

METRICS = "metrics.json"
CALIBRATION = "calibration.json"
PREDICTIONS = "predictions.parquet"
REPORT = "report.html"
TABLES = (
    "classes", "confusions", "thresholds", "confidences", "reliability", "slices", "stress",
    "behaviour",
)  # fmt: skip
SPEED_IMAGES = 32
# Images that are mirrored and shifted where `evaluate.stress` names none.
MIRRORED = 200


def run(plan: TaskPlan) -> None:
    """Measure, write tables, pictures, card and report, and log it all to the model's run.

    Raises:
        TrackingError: the store cannot be reached; nothing was measured.
    """
    store.connect()  # before any work: nothing is measured that could not be recorded
    set_threads(plan.train.threads)
    trained = train.load(plan)
    with tempfile.TemporaryDirectory(prefix="roadworthy-") as name:
        found, subject = _found(plan, trained, Path(name))
        quick = _speed(trained, Path(name))
    run = record.run_of(plan, trained)
    measured = replace(
        found,
        speed=quick,
        spent=energy.spent(run.run_id, plan.evaluate.energy),
        lineage={k: str(v) for k, v in run.lineage().model_dump().items() if v is not None},
    )
    with replacing(folder(plan.name, "evaluate")) as out:
        _write(found, subject, out)
        (out / REPORT).write_text(report.render(measured), encoding="utf-8")
        log(run, measured, subject.predictions, out)
    test = found.figures["accuracy"]
    print(
        f"evaluate {plan.name}: test accuracy {test.value:.3f} ({test.low:.3f} to {test.high:.3f}), "
        f"{found.baseline:.3f} from size and colour alone"
    )
    if found.scenes and (area := found.scenes.figures.get("average_precision")):
        print(
            f"  scenes: area under precision and recall {area.value:.3f} ({area.low:.3f} to "
            f"{area.high:.3f}) on {found.scenes.images} pictures with {found.scenes.cars} boxes"
        )


def _found(plan: TaskPlan, trained: Trained, bundle: Path) -> tuple[Findings, Subject]:
    """Everything but speed and lineage; `bundle` is an empty folder for what would be exported."""
    data, settings = trained.data, plan.evaluate
    rows = {name: data.rows.iloc[data.places(name)] for name in ("train", "val", "test")}
    # Asked first: a misspelt setting is said before minutes of work.
    costs = thresholds.cost_matrix(data.labels, settings.costs)
    slices.parts(rows["test"], settings.slices)
    raw = {split: logits(trained, split) for split in ("val", "test")}
    fitted = _fit(plan, trained, raw["val"], rows["val"])
    _bundle(plan, trained, fitted, bundle)
    fitted = replace(fitted, box_threshold=searched.threshold(plan, bundle))
    answers = {name: answers_of(trained, name, raw[name], rows[name], fitted) for name in raw}
    test, plain = answers["test"], to_probabilities(raw["test"])
    pixels = centre(data.pixels(data.places("test")), data.input)
    subject = Subject(plan, trained, fitted, pixels, rows["test"], test)
    resampled = Bootstrap(settings.bootstrap, settings.confidence, plan.seed)
    with bar(f"evaluate {plan.name}") as progress:
        figures = metrics.measure(test, plain, resampled, progress)
        stressed = _stress(subject, progress)
    found = Findings(
        task=plan.name,
        kind=plan.kind,
        labels=data.labels,
        rows={name: len(part) for name, part in rows.items()},
        confidence=settings.confidence,
        figures=figures,
        validation=metrics.measure(answers["val"], to_probabilities(raw["val"]), resampled),
        baseline=shortcut.accuracy(rows["train"], rows["test"], plan.seed),
        fitted=fitted,
        threshold_rule=settings.threshold,
        sure_rule=str(settings.sure),
        counts=confusion_matrix(test, len(data.labels)),
        classes=metrics.per_class(test, data.labels, resampled),
        confusions=metrics.confusions(test, data.labels),
        thresholds=_sweep(test, costs, fitted),
        confidences=thresholds.confidences(test, costs, settings.unsure_cost, fitted.sure),
        reliability=calibration.reliability(test, plain),
        slices=slices.table(
            rows["test"], test.correct, test.units, settings.slices, settings.confidence
        ),
        stress=stressed,
        behaviour=_behaviour(subject),
        history=read_history(needed(plan.name, "train") / train.HISTORY),
        fixed=subject.shots(
            gallery.fixed(rows["test"]["label"], rows["test"]["sha256"], settings.gallery)
        ),
        errors=subject.shots(gallery.errors(subject.predictions, settings.gallery)),
        explained=_explained(subject),
        speed=None,
        spent=None,
        lineage={},
        scenes=searched.scenes(plan, bundle, fitted.box_threshold, resampled),
    )
    return found, subject


def _fit(plan: TaskPlan, trained: Trained, raw: np.ndarray, rows: pd.DataFrame) -> Fitted:
    """Temperature, threshold and the cut of what is not sure, from validation alone."""
    settings = plan.evaluate
    targets = trained.data.targets(trained.data.places("val"))
    temperature = calibration.fit_temperature(raw, targets)
    probabilities = to_probabilities(raw, temperature)
    threshold = None
    if plan.kind == "binary":
        costs = thresholds.cost_matrix(trained.data.labels, settings.costs)
        threshold = thresholds.choose(probabilities[:, 1], targets, settings.threshold, costs)
    fitted = Fitted(temperature, threshold, 0.0)
    answers = answers_of(trained, "val", raw, rows, fitted)
    return replace(fitted, sure=thresholds.choose_sure(answers, settings.sure))


def _sweep(answers: Answers, costs: np.ndarray, fitted: Fitted) -> pd.DataFrame:
    if fitted.threshold is None:
        return pd.DataFrame()
    return thresholds.sweep(answers, costs, fitted.threshold)


def _stress(subject: Subject, progress: Any) -> pd.DataFrame:
    settings = subject.plan.evaluate
    places = _sample(subject, settings.stress)
    return stress.stress(
        subject.ask,
        subject.pixels[places],
        subject.answers.targets[places],
        subject.decide,
        subject.plan.seed,
        settings.confidence,
        progress,
        units=subject.answers.units[places],
    )


def _sample(subject: Subject, count: int) -> np.ndarray:
    rows = subject.rows
    return stress.sample(rows["label"], rows["sha256"], count)


def _behaviour(subject: Subject) -> pd.DataFrame:
    # Also where robustness is left out: what a blank image is taken for costs nothing to ask.
    places = _sample(subject, subject.plan.evaluate.stress or MIRRORED)
    return behaviour.behaviour(
        subject.ask,
        subject.decide,
        subject.pixels[places],
        sure=subject.fitted.sure,
        positive=1 if subject.plan.kind == "binary" else None,
    )


def _explained(subject: Subject) -> dict[str, list[Shot]]:
    chosen = gallery.explained(subject.predictions, subject.plan.evaluate.explain)
    plain = Normalise(subject.trained.data.input)
    found = {}
    for kind, places in chosen.items():
        images = plain(torch.from_numpy(subject.pixels[places]))
        said = subject.answers.predicted[places]
        heat = explanations.explain(subject.trained.network, images, said)
        shots = subject.shots(places)
        found[kind] = [
            replace(shot, heat=explanations.overlay(subject.pixels[place], warm))
            for shot, place, warm in zip(shots, places, heat, strict=True)
        ]
    return found


def _bundle(plan: TaskPlan, trained: Trained, fitted: Fitted, into: Path) -> None:
    """The bundle as `export` will write it, but for its figures and the threshold of boxes."""
    data = trained.data
    pixels = centre(data.pixels(data.places("val")[:SPEED_IMAGES]), data.input)
    write_bundle(
        into,
        bundle_spec(plan, trained, fitted, {}),
        trained.network,
        reference={},
        seen=np.empty(0, np.uint64),
        sample=pixels,
        branch=trained.branch,
        parity=plan.export.parity,
    )


def _speed(trained: Trained, bundle: Path) -> Speed:
    data = trained.data
    return speed.measure(bundle, centre(data.pixels(data.places("val")[:SPEED_IMAGES]), data.input))


def _write(found: Findings, subject: Subject, out: Path) -> None:
    write_json(out / METRICS, nested(found))
    write_json(out / CALIBRATION, asdict(found.fitted))
    predictions = subject.predictions
    predictions.to_parquet(out / PREDICTIONS, index=False)
    predictions[["label", "predicted"]].to_csv(out / "confusion.csv", index=False)
    (out / CARD).write_text(card.write_card(found), encoding="utf-8")
    (out / "tables").mkdir()
    for name in TABLES:
        getattr(found, name).round(6).to_csv(out / "tables" / f"{name}.csv", index=False)
    (out / "pictures").mkdir()
    pictures: dict[str, Figure | Image.Image] = {
        **plots.pictures(found),
    }
    if found.scenes:
        found.scenes.curve.round(6).to_csv(out / "tables" / "scene_curve.csv", index=False)
        found.scenes.sizes.round(6).to_csv(out / "tables" / "scene_sizes.csv", index=False)
        pictures |= {f"scenes_{name}": sheet for name, sheet in found.scenes.pictures.items()}
    for name, shots in (("errors", found.errors), ("same_images", found.fixed)):
        if shots:
            pictures[name] = gallery.sheet(shots)
    for name, picture in pictures.items():
        (out / "pictures" / f"{name}.png").write_bytes(page.png(picture))
