"""How far an inspection can be trusted: what was measured of each step, and what was not."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from roadworthy.bundle.format import BundleSpec

FINDS = ("scenes_average_precision", "scenes_recall", "scenes_precision", "accuracy")
ANSWERS = ("accuracy",)
WORDS = {
    "scenes_average_precision": "average precision on test scenes",
    "scenes_recall": "cars of test scenes found",
    "scenes_precision": "boxes on test scenes that are cars",
    "accuracy": "answered rightly",
}
NOTES = {
    "brand": (
        "brand: a make shows at the front; of a car seen from the side or behind it is a guess, "
        "however high its probability"
    ),
}
"""What is known of a task that ships beyond its figures."""


@dataclass(frozen=True)
class Figure:
    """A share with its 95 % interval, each 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Step:
    """One champion at work, and what was measured of it."""

    task: str
    version: int
    """Number in the registry."""
    does: str
    measured: str
    """What its accuracy is of."""
    figures: dict[str, Figure]
    """By the names in `bundle.json`; empty where nothing was measured."""

    def to_json(self) -> dict[str, Any]:
        """As scenes.json and the service say it."""
        return asdict(self)

    def __str__(self) -> str:
        """One line for people."""
        told = [
            f"{self._words(name)} {one.value:.3f} [{one.low:.3f} {one.high:.3f}]"
            for name, one in self.figures.items()
        ]
        measured = "; ".join(told) or "nothing was measured"
        return f"{self.does}: {self.task}/{self.version}: {measured}"

    def _words(self, name: str) -> str:
        return f"{self.measured} {WORDS[name]}" if name == "accuracy" else WORDS[name]


def finding(spec: BundleSpec, version: int) -> Step:
    """The step that finds cars."""
    return Step(spec.task, version, "where the cars are", "test windows", _figures(spec, FINDS))


def asking(spec: BundleSpec, version: int) -> Step:
    """The step that asks one champion about each car."""
    return Step(spec.task, version, f"{spec.task} of each", "test images", _figures(spec, ANSWERS))


def unknown(
    finder: BundleSpec, askers: Sequence[BundleSpec], missing: Mapping[str, str] | None = None
) -> list[str]:
    """What nobody measured, in plain sentences.

    Args:
        finder: of the champion that searches.
        askers: of those that are asked.
        missing: tasks that were wanted and are left out, with the reason.
    """
    told = [f"{task} was not asked: {reason}" for task, reason in (missing or {}).items()]
    if "scenes_average_precision" not in finder.metrics:
        told.append(
            f"how well {finder.task} finds cars in whole pictures was not measured; its figures are "
            "of single patches"
        )
    if askers:
        names = " and ".join(spec.task for spec in askers)
        told += [
            f"{names}: figures and probabilities are of pictures of one vehicle each; of what a box "
            "cuts out of a scene nothing was measured",
            "errors add up: a car that is missed is not asked about, and a box without a car gets "
            "answers all the same",
        ]
    for spec in askers:
        if spec.kind == "multiclass":
            told.append(f"{spec.task}: one of {len(spec.labels)} labels is given, whatever it is")
        if spec.task in NOTES:
            told.append(NOTES[spec.task])
    return told


def _figures(spec: BundleSpec, names: Sequence[str]) -> dict[str, Figure]:
    measured = spec.metrics
    return {
        name: Figure(
            measured[name],
            measured.get(f"{name}_low", measured[name]),
            measured.get(f"{name}_high", measured[name]),
        )
        for name in names
        if name in measured
    }
