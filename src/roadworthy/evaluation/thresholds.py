"""Where a task's answers are cut, by stated rules from validation: positive or not, sure or not."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, precision_recall_fscore_support

from roadworthy.errors import ParamsError
from roadworthy.evaluation.answers import Answers

log = logging.getLogger(__name__)

# Rows of a sweep beside the one that was chosen, at most.
ROWS = 201
# Answers above a cut, at least, for their accuracy to be believed.
LEAST = 20


def cost_matrix(
    labels: Sequence[str], costs: Mapping[str, Mapping[str, float]] | None = None
) -> np.ndarray:
    """What an answer costs, float64 (C, C), truth by answer: 0 if right, 1 if not named.

    Args:
        costs: by truth and answer (`{"police": {"other": 5}}`).

    Raises:
        ParamsError: a label is not known.
    """
    matrix = 1.0 - np.eye(len(labels))
    place = {label: number for number, label in enumerate(labels)}
    for truth, answers in (costs or {}).items():
        for answer, cost in answers.items():
            for label in (truth, answer):
                if label not in place:
                    raise ParamsError(
                        f"evaluate.costs names the label {label!r}; known are {', '.join(labels)}"
                    )
            matrix[place[truth], place[answer]] = cost
    return matrix


def choose(
    probabilities: np.ndarray, targets: np.ndarray, rule: str, costs: np.ndarray | None = None
) -> float:
    """The probability of the positive class from which the answer is positive.

    Between two scores every threshold is as good; the middle is the least brittle.

    Args:
        probabilities: of the positive class, (N,).
        targets: 0 or 1, (N,).
        rule: `half` is 0.5; `max_f1` the best F1; `cost` the least mean cost; `precision >= p` the most
            recall at that precision, or where it is out of reach the highest precision, with a warning.
        costs: truth by answer, (2, 2); all errors cost 1 where None.

    Raises:
        ParamsError: no such rule.
    """
    if rule == "half" or not len(targets):
        return 0.5
    if rule == "cost":
        return _least_cost(probabilities, targets, cost_matrix("01") if costs is None else costs)
    if rule != "max_f1" and not rule.startswith("precision"):
        raise ParamsError(
            f"no threshold rule is called {rule!r}; "
            f"known are half, max_f1, cost and `precision >= 0.95`"
        )
    if not targets.any():
        log.warning("no validation image is positive: the threshold is 0.5, not by %r", rule)
        return 0.5
    precision, recall, cuts = precision_recall_curve(targets, probabilities)
    if rule == "max_f1":
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return _between(cuts, int(np.argmax(f1[:-1])))
    return _between(cuts, _precise(precision[:-1], recall[:-1], _number(rule)))


def _precise(precision: np.ndarray, recall: np.ndarray, wanted: float) -> int:
    """The place of the most recall at the precision wanted."""
    reached = np.flatnonzero(precision >= wanted)
    if not len(reached):
        reached = np.flatnonzero(precision == precision.max())
        log.warning(
            "no threshold has a precision of %g on validation: the highest, %.3f, is taken",
            wanted,
            precision.max(),
        )
    # Of equal recalls the last is the most precise.
    return int(reached[::-1][np.argmax(recall[reached][::-1])])


def _least_cost(probabilities: np.ndarray, targets: np.ndarray, costs: np.ndarray) -> float:
    """Every threshold is tried: from all positive to none."""
    order = np.argsort(probabilities, kind="stable")
    scores = probabilities[order]
    # Moving the threshold above a row changes its answer from positive to negative.
    change = costs[targets[order], 0] - costs[targets[order], 1]
    total = np.concatenate([[0.0], np.cumsum(change)])
    # There is no threshold above a score of 1.
    apart = np.concatenate([[True], np.diff(scores) > 0, [scores[-1] < 1]])
    places = np.flatnonzero(apart)
    best = int(places[np.argmin(total[places])])
    if best == len(scores):
        return _middle(scores[-1], 1.0)
    return _middle(scores[best - 1] if best else 0.0, scores[best])


def choose_sure(answers: Answers, rule: float | str) -> float:
    """The probability of an answer below which it is marked as not sure.

    Args:
        answers: on validation.
        rule: a number is the cut itself. `accuracy >= a` is the smallest cut at which the answers above
            it have that accuracy; a few answers at the top that are right tell nothing, there must be
            `LEAST`. Where no cut has it: 1, nobody is sure, with a warning.
    """
    if not isinstance(rule, str):
        return float(rule)
    wanted = _number(rule)
    confidence, right = _confidence(answers), answers.correct
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(np.diff(confidence[order]) < 0, True)
    told = np.arange(1, len(order) + 1) >= LEAST
    good = last & told & (accuracy >= wanted)
    if not good.any():
        log.warning("no confidence has an accuracy of %g on validation: no answer is sure", wanted)
        return 1.0
    place = int(np.flatnonzero(good)[-1])
    below = confidence[order][place + 1] if place + 1 < len(order) else 0.0
    return _middle(below, confidence[order][place])


def sweep(answers: Answers, costs: np.ndarray, chosen: float) -> pd.DataFrame:
    """A binary task at `ROWS` thresholds from 0 to 1.

    Args:
        chosen: the threshold in use. It has a row of its own: a sure model changes most between two
            steps of the grid.

    Returns:
        Columns threshold, precision, recall, f1, coverage (share of positive answers), cost (mean per
        image); precision is 1 where no answer is positive.
    """
    rows = []
    for threshold in np.union1d(np.linspace(0, 1, ROWS), chosen):
        predicted = (answers.probabilities[:, 1] >= threshold).astype(np.int64)
        precision, recall, f1, _ = precision_recall_fscore_support(
            answers.targets, predicted, labels=[1], average=None, zero_division=np.nan
        )
        row = (precision[0], recall[0], f1[0], predicted.mean(), costs[answers.targets, predicted])
        rows.append((threshold, *row[:4], row[4].mean()))
    columns = ["threshold", "precision", "recall", "f1", "coverage", "cost"]
    table = pd.DataFrame(rows, columns=columns)
    return table.fillna({"precision": 1.0, "recall": 0.0, "f1": 0.0})


def confidences(
    answers: Answers, costs: np.ndarray, unsure_cost: float, sure: float
) -> pd.DataFrame:
    """What abstaining below a confidence brings, for at most `ROWS` confidences that occur.

    Args:
        sure: the cut in use; it has a row of its own.

    Returns:
        Columns confidence, coverage (share answered), accuracy (of those answered; NaN of none),
        cost (mean per image, one that is not answered costing `unsure_cost`), from all answered to
        few.
    """
    confidence = _confidence(answers)
    paid = costs[answers.targets, answers.predicted]
    cuts = np.unique(confidence)
    if len(cuts) > ROWS:
        cuts = cuts[np.linspace(0, len(cuts) - 1, ROWS).round().astype(np.int64)]
    rows = []
    for cut in np.union1d(cuts, sure):
        kept = confidence >= cut
        cost = (paid[kept].sum() + unsure_cost * (~kept).sum()) / len(kept)
        right = answers.correct[kept].mean() if kept.any() else np.nan
        rows.append((cut, kept.mean(), right, cost))
    return pd.DataFrame(rows, columns=["confidence", "coverage", "accuracy", "cost"])


def _confidence(answers: Answers) -> np.ndarray:
    """Probability of the answer, (N,)."""
    return np.asarray(answers.probabilities[np.arange(len(answers)), answers.predicted])


def _between(cuts: np.ndarray, place: int) -> float:
    return _middle(cuts[place - 1] if place else 0.0, cuts[place])


def _number(rule: str) -> float:
    """The `0.95` of `precision >= 0.95`."""
    return float(rule.split(">=")[1])


def _middle(below: float, above: float) -> float:
    """Halfway, in the fewest digits from four on that stay above the one and not above the other."""
    for digits in range(4, 17):
        value = float(f"{(below + above) / 2:.{digits}g}")
        if below < value <= above:
            return value
    return float(above)
