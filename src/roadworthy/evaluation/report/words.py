"""What findings mean, in the words that report and card share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.evaluation.detections import MATCH_IOU
from roadworthy.evaluation.figures import FIGURES
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.scenes import Scenes

# How a figure is called, where not by its own name.
TITLES = {
    "f1": "F1",
    "macro_f1": "macro F1",
    "top5": "top 5",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "mcc": "MCC",
    "ece": "calibration error",
    "ece_before": "calibration error before",
}
# Figures on whole scenes: what they are called, and what they mean.
SCENES = {
    "average_precision": (
        "area under precision and recall",
        "over all thresholds; all points, as Pascal VOC has it since 2010",
    ),
    "equal_error": ("equal-error rate", "recall at the threshold where precision equals it"),
    "precision": ("precision", "share of the boxes that hit a car"),
    "recall": ("recall", "share of the cars that were found"),
    "f1": ("F1", "harmonic mean of the two"),
    "false_alarms": ("false alarms per image", "boxes that hit no car; less is better"),
    "map": ("COCO mAP", "mean over overlaps from 0.5 to 0.95"),
    "map50": ("COCO mAP50", "at an overlap of 0.5"),
}
# Past these an evaluation has something to say against a model; the gate has limits of its own.
LARGE_ECE, LARGE_DROP, WEAK_CLASS = 0.1, 0.3, 0.5
SMALL_AREA, MANY_ALARMS, FEW_CARS = 0.5, 1.0, 10
BLIND = "size, format and colours alone"
"""What the baseline sees: also the size of the file, and the colours of image and border."""


@dataclass(frozen=True)
class Concern:
    """Something that speaks against a model."""

    grave: bool
    words: str
    section: str
    """Of the report, where it is shown."""


def concerns(found: Findings) -> list[Concern]:
    """What speaks against the model, the gravest first."""
    every = [
        *_shortcut(found),
        *_behaviour(found),
        *_slices(found),
        *_classes(found),
        *_calibration(found),
        *_stress(found),
        *_scenes(found),
    ]
    return sorted(every, key=lambda one: not one.grave)


def headline(found: Findings) -> str:
    """One plain sentence: how often it is right, on what, and what that is worth."""
    accuracy = found.figures["accuracy"]
    return (
        f"Right on {percent(accuracy.value)} of {images(found.rows['test'])} that it has not seen "
        f"({span(accuracy)}, {percent(found.confidence, 0)} interval); {BLIND}, without "
        f"a look at the picture, give {percent(found.baseline)}."
    )


def verdict(found: Findings) -> str:
    """How much speaks against it, in few words."""
    against = concerns(found)
    if not against:
        return "nothing measured here speaks against it"
    grave = sum(one.grave for one in against)
    if grave:
        return f"{count(grave, 'thing speaks', 'things speak')} strongly against it"
    return f"fit to drive by these figures, with {count(len(against), 'reservation')}"


def held_back(found: Findings) -> dict[str, Any] | None:
    """The row of `confidences` at the cut below which an answer is not sure; None without a table."""
    table = found.confidences
    if table.empty:
        return None
    sure = table[table["confidence"] >= found.fitted.sure]
    if sure.empty:
        return {"confidence": found.fitted.sure, "coverage": 0.0, "accuracy": float("nan")}
    return _row(sure.sort_values("confidence"), 0)


def held_back_in_words(found: Findings) -> str:
    """What the cut holds back, and how often the others are right; empty where it is not known."""
    row = held_back(found)
    if row is None:
        return ""
    if not row["coverage"]:
        return "all answers are held back"
    return (
        f"{percent(1 - row['coverage'])} of the answers are held back; of the others "
        f"{percent(row['accuracy'])} are right"
    )


def confidence(found: Findings) -> str:
    """What is confidence to the calibration error and its picture."""
    if found.kind == "binary":
        return "confidence is the probability of the likelier class, whatever the threshold"
    return "confidence is the probability of the answer"


def band(found: Findings) -> tuple[float, float]:
    """Probabilities of a binary task's positive class between which an answer is not sure."""
    middle = 0.5 if found.fitted.threshold is None else found.fitted.threshold
    return min(1 - found.fitted.sure, middle), max(found.fitted.sure, middle)


def scenes(seen: Scenes) -> str:
    """What was searched, and what counts as found."""
    return (
        f"Searched in {count(seen.images, 'scene')} of the test split, {seen.with_cars} of them with "
        f"{count(seen.cars, 'car')} in all; the others show how often it sees one where there is "
        f"none. A box from a score of {cut(seen.threshold)} (the best F1 on validation scenes) is a "
        f"hit where it covers a car at an intersection over union of {MATCH_IOU:g} or more, one per "
        f"car. Intervals come from resampling whole scenes."
    )


def drops(found: Findings) -> pd.DataFrame:
    """The loss of accuracy by change at its greatest strength, the largest first.

    Returns:
        Columns change, strength, accuracy, loss.
    """
    columns = ["change", "strength", "accuracy", "loss"]
    if found.stress.empty:
        return pd.DataFrame(columns=columns)
    plain = found.stress[found.stress["strength"] == 0]
    changed = found.stress[found.stress["strength"] > 0]
    if plain.empty or changed.empty:
        return pd.DataFrame(columns=columns)
    worst = changed.sort_values("strength").groupby("change", sort=True).tail(1)
    loss = float(plain["accuracy"].iloc[0]) - worst["accuracy"]
    ranked = worst.assign(loss=loss).sort_values("loss", ascending=False, kind="stable")
    return ranked[columns].reset_index(drop=True)


def correction(found: Findings) -> str:
    """How many slices were looked at, and what that does to the figures."""
    weak = int(found.slices["weak"].sum())
    said = f"{count(weak, 'is', 'are')} weak" if weak else "None is weak"
    return (
        f"{count(len(found.slices), 'slice')} looked at: with so many, some look weak by luck. The "
        f"intervals are widened for that number, p is corrected for it (false discovery rate, "
        f"Benjamini and Hochberg 1995), and a slice is called weak only when it is worse than the "
        f"other images with corrected p below 0.05. {said}."
    )


def figure(name: str) -> str:
    """The title of a figure."""
    return TITLES.get(name, name.replace("_", " "))


def meaning(name: str) -> str:
    """One line about a figure, and which way is better where that is not plain."""
    known = FIGURES.get(name)
    if known is None:
        return ""
    return known.meaning if known.higher else f"{known.meaning}; less is better"


def three(value: float | None) -> str:
    """A figure with three digits; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.3f}"


def cut(value: float) -> str:
    """A threshold with all its digits, three at least: `0.430`, `0.9962`."""
    return np.format_float_positional(round(value, 9), min_digits=3)


def percent(share: float, digits: int = 1) -> str:
    """A share as people read it: `93.1%`; a dash where there is none."""
    if share != share:
        return "–"
    return f"{100 * share:.{digits}f}%"


def span(estimate: Any) -> str:
    """An interval of a share."""
    return f"{100 * estimate.low:.1f} to {percent(estimate.high)}"


def interval(estimate: Any) -> str:
    """An interval of any figure; a dash where none was made."""
    return ends(estimate.low, estimate.high)


def ends(low: float, high: float) -> str:
    """From where to where; a dash where the ends are one or none."""
    return f"{low:.3f} to {high:.3f}" if low < high else "–"


def count(number: int, one: str, several: str = "") -> str:
    """`1 image`, `2,000 images`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def images(number: int) -> str:
    """Number of images."""
    return count(number, "image")


def some(names: list[str], most: int = 3) -> str:
    """The first few, and how many more."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _row(table: pd.DataFrame, place: int) -> dict[str, Any]:
    return {str(name): value for name, value in table.iloc[place].to_dict().items()}


def _shortcut(found: Findings) -> list[Concern]:
    if found.figures["accuracy"].low > found.baseline:
        return []
    words = f"It is not surely better than a classifier that sees {BLIND}."
    return [Concern(True, words, "Figures")]


def _behaviour(found: Findings) -> list[Concern]:
    if found.behaviour.empty:
        return []
    failed = found.behaviour[~found.behaviour["passed"].astype(bool)]
    return [
        Concern(True, f"The check {row['check']!r} failed: {row['words']}.", "Behaviour")
        for row in failed.to_dict("records")
    ]


def _slices(found: Findings) -> list[Concern]:
    if found.slices.empty:
        return []
    weak = [str(name) for name in found.slices.loc[found.slices["weak"].astype(bool), "slice"]]
    if not weak:
        return []
    words = f"{count(len(weak), 'slice')} surely weaker than the rest: {some(weak)}."
    return [Concern(False, words, "Slices")]


def _classes(found: Findings) -> list[Concern]:
    low = found.classes[found.classes["recall"] < WEAK_CLASS].sort_values("recall", kind="stable")
    if low.empty:
        return []
    words = (
        f"{count(len(low), 'class is', 'classes are')} missed more often than found: "
        f"{some([str(name) for name in low['class']])}."
    )
    return [Concern(False, words, "Per class")]


def _calibration(found: Findings) -> list[Concern]:
    ece = found.figures.get("ece")
    if ece is None or ece.value <= LARGE_ECE:
        return []
    words = f"Its confidence is off by {percent(ece.value)} on average: do not read it as a chance."
    return [Concern(False, words, "Calibration")]


def _stress(found: Findings) -> list[Concern]:
    hurt = drops(found)
    hurt = hurt[hurt["loss"] > LARGE_DROP]
    if hurt.empty:
        return []
    kinds = [f"{row['change']} (to {percent(row['accuracy'])})" for row in hurt.to_dict("records")]
    return [
        Concern(False, f"Strong changes of the image cost it much: {some(kinds)}.", "Robustness")
    ]


def _scenes(found: Findings) -> list[Concern]:
    """A search that misses much, cries wolf, or does not see one size of car."""
    seen = found.scenes
    if seen is None:
        return []
    area, alarms = seen.figures.get("average_precision"), seen.figures["false_alarms"]
    said = []
    if area is None:
        said.append((False, "No test scene has a car: how many it finds is not known."))
    elif area.value < SMALL_AREA:
        said.append((True, f"In whole scenes the area under its curve is {area.value:.3f} only."))
    if alarms.value > MANY_ALARMS:
        said.append((False, f"In a scene it sees {alarms.value:.1f} cars that are none."))
    weak = seen.sizes[(seen.sizes["cars"] >= FEW_CARS) & (seen.sizes["recall"] < WEAK_CLASS)]
    if len(weak):
        names = some(
            [f"{row['size']} ({percent(row['recall'])})" for row in weak.to_dict("records")]
        )
        said.append((False, f"It misses most cars in scenes that are {names}."))
    return [Concern(grave, text, "Scenes") for grave, text in said]
