"""The rules of the gate: each is one function here, and shown, recorded and documented by it.

A rule that does not apply (nothing to compare with yet, no limit set) gives None. A figure that is
missing or no number fails its rule, and says so: then there is nothing to decide by.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.bundle.format import Lineage
from roadworthy.errors import ParamsError
from roadworthy.evaluation import metrics, stress
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.compare import compare
from roadworthy.gate import scenes
from roadworthy.gate.evidence import Evidence, Side
from roadworthy.params import Promote

# A class or a slice of fewer images is not judged: one image would decide.
MIN_IMAGES = 10
# What a lineage must say; without a backbone it is training from scratch.
LINEAGE = ("git_commit", "data_version", "params_hash", "run_id")


@dataclass(frozen=True)
class Ruling:
    """What a rule found."""

    rule: str
    passed: bool
    figure: str
    """What was measured, as people read it."""
    limit: str
    """What was asked for."""
    words: str
    """What it means, in a sentence."""
    missing: bool = False
    """It failed because there is no figure."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


# Whether it passed (None: there is no figure), the figure, the limit, and words.
Finding = tuple[bool | None, str, str, str]
Rule = Callable[[Evidence, Promote], Finding | None]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Make a function a rule of the gate; it gives a `Finding`, or None."""

    def add(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return add


def judge(evidence: Evidence, settings: Promote) -> list[Ruling]:
    """Ask every rule that applies.

    Raises:
        ParamsError: the settings name a figure that does not exist, or cannot be compared.
    """
    check(settings)
    _check("drops", settings.drops, [*evidence.labels, *evidence.parts])
    asked = {name: ask(evidence, settings) for name, ask in RULES.items()}
    return [
        Ruling(name, bool(found[0]), *found[1:], missing=found[0] is None)
        for name, found in asked.items()
        if found is not None
    ]


def check(settings: Promote) -> None:
    """That the figures that the settings name exist.

    Raises:
        ParamsError: one does not.
    """
    known = [name for name, figure in metrics.FIGURES.items() if not figure.before]
    _check("metric", [settings.metric], known)
    _check("floors", settings.floors, known)


def _check(key: str, names: Iterable[str], known: Sequence[str]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise ParamsError(f"promote.{key} names {', '.join(unknown)}; known are {', '.join(known)}")


@rule("better")
def _better(evidence: Evidence, settings: Promote) -> Finding | None:
    """Better than the champion by more than luck and margin; a tie keeps the champion."""
    if evidence.champion is None:
        return None
    resampled = Bootstrap(settings.bootstrap, settings.confidence, seed=0)
    old, new = evidence.champion, evidence.challenger
    found = compare(old.answers, new.answers, settings.metric, resampled)
    figure = (
        f"{found.difference:+.4f} [{found.low:+.4f} {found.high:+.4f}] "
        f"({found.challenger:.4f} against {found.champion:.4f})"
    )
    words = (
        f"{settings.metric} on the same {found.rows} images; only the challenger is right on "
        f"{found.wins}, only the champion on {found.losses} (McNemar p = {found.p:.3g})."
    )
    limit = f"lower end above {settings.margin:g}"
    return _judged(found.low, found.low > settings.margin), figure, limit, words


@rule("floors")
def _floors(evidence: Evidence, settings: Promote) -> Finding | None:
    """What a first champion must reach."""
    if evidence.champion is not None or not settings.floors:
        return None
    figures = evidence.challenger.figures
    missed = [
        name
        for name, floor in settings.floors.items()
        if not _reaches(name, figures.get(name, math.nan), floor)
    ]
    shown = ", ".join(f"{name} {figures.get(name, math.nan):.4f}" for name in settings.floors)
    limit = ", ".join(
        f"{name} {'>=' if metrics.FIGURES[name].higher else '<='} {floor:g}"
        for name, floor in settings.floors.items()
    )
    words = f"{' and '.join(missed)} missed." if missed else "There is no champion yet."
    total = sum(figures.get(name, math.nan) for name in settings.floors)
    return _judged(total, not missed), shown, limit, words


@rule("classes")
def _classes(evidence: Evidence, settings: Promote) -> Finding | None:
    """No class may lose more of its recall than it is allowed to."""
    targets = evidence.challenger.answers.targets
    parts = {label: np.flatnonzero(targets == n) for n, label in enumerate(evidence.labels)}
    return _parts(evidence, settings, parts, settings.class_drop, "class")


@rule("slices")
def _slices(evidence: Evidence, settings: Promote) -> Finding | None:
    """No named slice may lose more of its accuracy than it is allowed to."""
    return _parts(evidence, settings, evidence.parts, settings.slice_drop, "slice")


@rule("calibration")
def _calibration(evidence: Evidence, settings: Promote) -> Finding | None:
    """Its probabilities can be believed."""
    ece = evidence.challenger.figures.get("ece", math.nan)
    words = "How far probability and share of right answers lie apart."
    return (
        _judged(ece, ece <= settings.max_ece),
        f"{ece:.4f}",
        f"at most {settings.max_ece:g}",
        words,
    )


@rule("robustness")
def _robustness(evidence: Evidence, settings: Promote) -> Finding | None:
    """It keeps its answers in bad weather."""
    new, old = evidence.challenger.stress, evidence.champion
    if new.empty:
        return True, "not measured", "evaluate.stress is 0", "Robustness is switched off."
    kept = stress.mean_accuracy(new)
    words = "Mean accuracy under blur, noise, JPEG, darkness, rotation and occlusion."
    if old is None:
        limit = f"at least {settings.min_stress:g}"
        return _judged(kept, kept >= settings.min_stress), f"{kept:.4f}", limit, words
    change = kept - stress.mean_accuracy(old.stress)
    limit = f"no loss over {settings.max_stress_drop:g}"
    passed = _judged(change, change >= -settings.max_stress_drop)
    return passed, f"{change:+.4f} (to {kept:.4f})", limit, words


rule("scenes")(scenes.judge)


@rule("latency")
def _latency(evidence: Evidence, settings: Promote) -> Finding | None:
    """It answers in time."""
    new = evidence.challenger.latency_ms
    slower = new / evidence.champion.latency_ms if evidence.champion else None
    limits = [] if settings.max_latency_ms is None else [f"at most {settings.max_latency_ms:g} ms"]
    passed = new <= (settings.max_latency_ms or math.inf)
    figure = f"{new:.1f} ms"
    if slower is not None:
        limits.append(f"at most {settings.max_slowdown:g} times the champion's")
        passed = passed and slower <= settings.max_slowdown
        figure += f", {slower:.2f} times the champion's"
    if not limits:
        return None
    return (
        _judged(new, passed),
        figure,
        ", ".join(limits),
        "One image, median, by turns on this machine.",
    )


@rule("size")
def _size(evidence: Evidence, settings: Promote) -> Finding | None:
    """It fits where it is to be served."""
    if settings.max_megabytes is None:
        return None
    size = evidence.challenger.megabytes
    limit = f"at most {settings.max_megabytes:g} MB"
    return size <= settings.max_megabytes, f"{size:.1f} MB", limit, "The inference graph's file."


@rule("data")
def _data(evidence: Evidence, settings: Promote) -> Finding | None:
    """Validation did not find an error in the data."""
    verdict = evidence.verdict
    passed = None if verdict is None else verdict == "passed"
    return passed, verdict or "missing", "passed", "What the stage validate said of the images."


@rule("unseen")
def _unseen(evidence: Evidence, settings: Promote) -> Finding | None:
    """No test image was used to make either of the two."""
    sides = [side for side in (evidence.challenger, evidence.champion) if side is not None]
    records = [side.trained_on for side in sides]
    known = [record for record in records if record is not None]
    passed = None if len(known) < len(sides) else not any(record.any() for record in known)
    figure = ", ".join(f"{side.name}: {_seen(side)}" for side in sides)
    words = "Test images among those it was trained, pretrained or tuned on, by SHA-256."
    return passed, figure, "none of either", words


@rule("lineage")
def _lineage(evidence: Evidence, settings: Promote) -> Finding | None:
    """It is known what it was made of, and what judges it now."""
    troubles = _gaps(evidence.lineage)
    if evidence.uncommitted is None:
        troubles.append("the working tree is not under git")
    elif evidence.uncommitted:
        troubles.append(f"not committed now: {', '.join(evidence.uncommitted[:3])}")
    words = "Commit, data, parameters and run of the training; the working tree now."
    return not troubles, "; ".join(troubles) or "complete", "complete and clean", words


@rule("withdrawn")
def _withdrawn(evidence: Evidence, settings: Promote) -> Finding | None:
    """What a person took off the road does not come back by itself."""
    if evidence.withdrawn is None:
        return None
    return False, evidence.withdrawn, "never rolled back", "Only --force brings it back."


def _parts(
    evidence: Evidence, settings: Promote, parts: dict[str, np.ndarray], drop: float, what: str
) -> Finding | None:
    """The largest loss of accuracy over parts of the rows, each against its own limit."""
    table = losses(evidence, parts)
    if evidence.champion is None:
        return None
    if table.empty:
        return True, "not judged", f"parts of {MIN_IMAGES} images", f"No {what} has so many."
    limits = table["name"].map(lambda name: settings.drops.get(name, drop)).astype(float)
    # A loss of exactly the limit is allowed, also where subtraction is a little off.
    broken = table[~(table["change"] >= -limits - 1e-9)]
    shown = broken if len(broken) else table.head(1)
    figure = ", ".join(
        f"{row['name']} {row['change']:+.3f} of {row['images']}" for row in shown.to_dict("records")
    )
    own = ", ".join(f"{k} {v:g}" for k, v in settings.drops.items() if k in set(table["name"]))
    limit = f"no {what} loses over {drop:g}" + (f" ({own})" if own else "")
    words = f"The worst of {len(table)}, champion and challenger on the same images."
    return broken.empty, figure, limit, words


def losses(evidence: Evidence, parts: dict[str, np.ndarray]) -> pd.DataFrame:
    """Columns name, images, champion, challenger, change; the largest loss first.

    Empty without a champion; parts of fewer than `MIN_IMAGES` images are left out.
    """
    columns = ["name", "images", "champion", "challenger", "change"]
    if evidence.champion is None:
        return pd.DataFrame(columns=columns)
    old, new = evidence.champion.answers.correct, evidence.challenger.answers.correct
    found = [
        (name, len(places), old[places].mean(), new[places].mean())
        for name, places in parts.items()
        if len(places) >= MIN_IMAGES
    ]
    table = pd.DataFrame(found, columns=columns[:-1])
    table["change"] = table["challenger"] - table["champion"]
    return table.sort_values(["change", "name"], ignore_index=True)


def _gaps(lineage: Lineage | None) -> list[str]:
    if lineage is None:
        return ["the training left no lineage"]
    gaps = [f"no {name}" for name in LINEAGE if not getattr(lineage, name)]
    if lineage.git_dirty is not False and lineage.git_commit:
        gaps.append("trained from changes that are in no commit")
    return gaps


def _seen(side: Side) -> str:
    return "no record" if side.trained_on is None else str(int(side.trained_on.sum()))


def _reaches(name: str, value: float, floor: float) -> bool:
    return value >= floor if metrics.FIGURES[name].higher else value <= floor


def _judged(figure: float, passed: bool) -> bool | None:
    """The verdict; None where the figure is no number."""
    return bool(passed) if math.isfinite(figure) else None
