"""What the gate knows: champion and challenger, run now, on the same test images.

Nothing that was stored about how good a model is comes in here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.bundle import speed
from roadworthy.bundle.format import GRAPH, SEEN, Lineage, read_spec
from roadworthy.bundle.predictor import Predictor
from roadworthy.data import seen
from roadworthy.errors import BundleError, DataError
from roadworthy.evaluation import metrics, slices, stress
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.detections import Detections
from roadworthy.gate.scenes import SceneCourse, search
from roadworthy.progress import Report

MEGABYTE = 1_000_000
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A bundle that is to be judged, and how people call it."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Side:
    """How one model did on the test images."""

    name: str
    answers: Answers
    figures: dict[str, float]
    """Of `metrics.FIGURES`, on all test rows."""
    stress: pd.DataFrame
    """Accuracy under blur, noise and the like; empty where it is switched off."""
    latency_ms: float
    """One image, median, measured by turns with the other side."""
    megabytes: float
    """Of the inference graph."""
    trained_on: np.ndarray | None
    """Whether each test image was among those it was made with, (N,); None: there is no record."""
    detections: Detections | None = None
    """What it found in the test scenes; None where there are none, or it cannot search."""


@dataclass(frozen=True)
class Evidence:
    """All that the rules may look at."""

    labels: Labels
    """Of both models and of the rows; `Answers` count in this order."""
    rows: pd.DataFrame
    """The test rows: path, label, sha256 and what the manifest measured."""
    challenger: Side
    champion: Side | None
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    """Slices by name, as row numbers."""
    scenes: int = 0
    """Test scenes that were searched; 0 where the task has none."""
    verdict: str | None = None
    """What validation said of the data: `passed`, `failed`; None where it was not asked."""
    lineage: Lineage | None = None
    """Of the challenger."""
    uncommitted: Sequence[str] | None = None
    """Files of the working tree that differ from its commit, now; None where there is no commit."""
    withdrawn: str | None = None
    """Why this challenger was once taken off the road."""


@dataclass(frozen=True)
class Course:
    """The test drive: the images, and what is done with them."""

    task: str
    rows: pd.DataFrame
    units: np.ndarray
    """A number per row; rows that share it hang together."""
    slices: Sequence[str] = ()
    """Columns by which the rows are cut."""
    stress: int = 0
    """Images that are also blurred, darkened ...; 0 for none."""
    seed: int = 0
    confidence: float = 0.95
    scenes: SceneCourse | None = None
    """Whole scenes to be searched; None where the task has none."""


def drive(
    course: Course, challenger: Model, champion: Model | None, report: Report | None = None
) -> Evidence:
    """Run both models over the test images, and over the test scenes where there are some.

    Raises:
        BundleError: a bundle is incomplete, damaged, of another task, or gives no numbers.
        DataError: there are no rows, a test image or scene cannot be used or is not the one that
            was split,
            or a binary challenger answers with other labels than the champion.
    """
    if course.rows.empty:
        raise DataError("there are no test rows: nothing can be judged")
    models = [challenger] + ([champion] if champion else [])
    if champion:
        check_question(challenger, champion)
    predictors = [Predictor(model.folder) for model in models]
    for model, predictor in zip(models, predictors, strict=True):
        if predictor.spec.task != course.task:
            raise BundleError(
                f"{model.name} is a bundle of {predictor.spec.task!r}, not of {course.task!r}"
            )
    labels = _labels(predictors, course.rows)
    pixels = [_decoded(predictor, course.rows, report) for predictor in predictors]
    latencies = speed.latencies(predictors, [images[:1] for images in pixels])
    sides = [
        _side(model, predictor, images, labels, course, latency, report)
        for model, predictor, images, latency in zip(
            models, predictors, pixels, latencies, strict=True
        )
    ]
    masks = slices.parts(course.rows, course.slices)
    parts = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    before, searched = (
        sides[1] if champion else None,
        len(course.scenes.paths) if course.scenes else 0,
    )
    return Evidence(labels, course.rows, sides[0], before, parts, searched)


def _side(
    model: Model,
    predictor: Predictor,
    pixels: np.ndarray,
    labels: Labels,
    course: Course,
    latency: float,
    report: Report | None,
) -> Side:
    targets = np.array([labels.index(label) for label in course.rows["label"]], np.int64)
    own = np.array([labels.index(label) for label in predictor.spec.labels])

    def ask(images: np.ndarray) -> np.ndarray:
        """Probabilities over the labels of both models."""
        found = np.zeros((len(images), len(labels)))
        found[:, own] = predictor.probabilities(images)
        if not np.isfinite(found).all():
            # Comparisons with NaN are false: it would pass for the first class.
            raise BundleError(f"{model.name} gives no number for some images: it cannot be judged")
        return found

    def decide(probabilities: np.ndarray) -> np.ndarray:
        return np.asarray(own[predictor.decide(probabilities[:, own])])

    probabilities = ask(pixels)
    answers = Answers(targets, decide(probabilities), probabilities, course.units)
    shaken = pd.DataFrame()
    if course.stress:
        places = stress.sample(course.rows["label"], course.rows["sha256"], course.stress)
        shaken = stress.stress(
            ask,
            pixels[places],
            targets[places],
            decide,
            course.seed,
            course.confidence,
            units=course.units[places],
        )
    record = seen.load(model.folder / SEEN)
    return Side(
        name=model.name,
        answers=answers,
        figures=figures(answers),
        stress=shaken,
        latency_ms=latency,
        megabytes=(predictor.graph or model.folder / GRAPH).stat().st_size / MEGABYTE,
        # Nothing is made of nothing: an empty record is none.
        trained_on=seen.among(course.rows["sha256"], record)
        if record is not None and len(record)
        else None,
        detections=_searched(model, course.scenes, report) if course.scenes else None,
    )


def _searched(model: Model, course: SceneCourse, report: Report | None) -> Detections | None:
    """None of a bundle that cannot search."""
    if read_spec(model.folder).search is None:
        return None
    from roadworthy.bundle.finder import Finder

    return search(model.name, Finder(model.folder).find, course, _content, report)


def figures(answers: Answers) -> dict[str, float]:
    """Every figure that such answers have; NaN where these do not tell it."""
    classes = answers.probabilities.shape[1]
    fitting = [n for n, f in metrics.FIGURES.items() if f.fits(classes) and not f.before]
    return metrics.quick(answers, fitting)


def check_question(one: Model, other: Model) -> None:
    """That two models answer the same question: of two labels both are the same, of many some may be new.

    Raises:
        BundleError: a bundle is damaged.
        DataError: they do not.
    """
    first, second = read_spec(one.folder), read_spec(other.folder)
    if "binary" in (first.kind, second.kind) and first.labels != second.labels:
        raise DataError(
            f"{one.name} tells {' and '.join(first.labels)} apart, {other.name} "
            f"{' and '.join(second.labels)}: they do not answer the same question"
        )


def _labels(predictors: Sequence[Predictor], rows: pd.DataFrame) -> Labels:
    """The labels of the challenger, then what only the champion or the rows know."""
    named = [label for predictor in predictors for label in predictor.spec.labels]
    return tuple(dict.fromkeys([*named, *sorted(set(rows["label"]))]))


def _decoded(predictor: Predictor, rows: pd.DataFrame, report: Report | None) -> np.ndarray:
    """The test images as the model sees them, uint8 (N, H, W, C), read from their files now."""
    found = []
    for place, row in enumerate(rows[["path", "sha256"]].itertuples(index=False)):
        content = _content(str(row.path), str(row.sha256))
        try:
            found.append(predictor.prepare(content))
        except DataError as error:
            raise DataError(f"test image {row.path}: {error}") from None
        if report:
            report(place + 1, len(rows))
    return np.stack(found)


def _content(path: str, sha256: str) -> bytes:
    """The bytes of a test image, if they are still those that were split.

    Raises:
        DataError: they are not, or cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"test image {path}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"test image {path} is not the one that was split: `roadworthy setup --restore` "
            "brings the recorded data back, `dvc repro` takes the new ones in"
        )
    return content
