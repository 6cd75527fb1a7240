"""Figures of merit: one entry in `FIGURES` gives a figure everywhere, with its interval."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from sklearn.metrics import top_k_accuracy_score
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional import classification as tm

from roadworthy.evaluation.answers import Answers


@dataclass(frozen=True)
class Figure:
    """A figure of merit.

    Attributes:
        of: its value for answers with at least one row; NaN where they do not tell.
        meaning: one line for people.
        higher: whether more is better.
        classes: `binary`, `many` (more than 2) or `both`; `top5` asks for more than 5.
        rests_on: the rows it counts, bool (N,); of all where None.
        balanced: counts every class the same; where it is perfect, small classes hide the most.
        share: runs from 0 to 1 as a share of right answers does, so that 0 is as extreme as 1.
        scores: of each row, float64 (N,), where the figure is their mean and they have a long tail.
        ranks: needs an order of all rows for each class, which is slow for many.
        calibrates: looks at ECE's kind of gap, which chance can only widen.
        before: is measured on the probabilities before temperature scaling.
    """

    of: Callable[[Answers], float]
    meaning: str
    higher: bool = True
    classes: Literal["binary", "many", "both"] = "both"
    least_classes: int = 2
    rests_on: Callable[[Answers], np.ndarray] | None = None
    balanced: bool = False
    share: bool = True
    scores: Callable[[Answers], np.ndarray] | None = None
    ranks: bool = False
    calibrates: bool = False
    before: bool = False

    def fits(self, classes: int) -> bool:
        """Whether it is a figure of a task with so many classes."""
        wanted = {"binary": classes == 2, "many": classes > 2, "both": True}[self.classes]
        return wanted and classes >= self.least_classes


def confusion_matrix(answers: Answers, classes: int) -> np.ndarray:
    """Counts (C, C), truth by answer."""
    predicted, targets = torch.from_numpy(answers.predicted), torch.from_numpy(answers.targets)
    found = tm.multiclass_confusion_matrix(predicted, targets, classes, validate_args=False)
    return np.asarray(found.numpy())


def _tensors(answers: Answers) -> tuple[Tensor, Tensor, int]:
    """Answers, truth, number of classes."""
    classes = answers.probabilities.shape[1]
    return torch.from_numpy(answers.predicted), torch.from_numpy(answers.targets), classes


def precision(answers: Answers, classes: int) -> np.ndarray:
    """Of each class, (C,); NaN where it was never the answer."""
    return _by_class(tm.multiclass_precision, answers, classes, [answers.predicted])


def recall(answers: Answers, classes: int) -> np.ndarray:
    """Of each class, (C,); NaN where it does not occur."""
    return _by_class(tm.multiclass_recall, answers, classes, [answers.targets])


def f1(answers: Answers, classes: int) -> np.ndarray:
    """Of each class, (C,); NaN where it does not occur and was never the answer."""
    asked = [answers.predicted, answers.targets]
    return _by_class(tm.multiclass_f1_score, answers, classes, asked)


def _by_class(
    metric: Callable[..., Tensor], answers: Answers, classes: int, asked: list[np.ndarray]
) -> np.ndarray:
    predicted, targets, _ = _tensors(answers)
    values = metric(predicted, targets, classes, average="none", validate_args=False).numpy()
    counted = np.bincount(np.concatenate(asked), minlength=classes)
    return np.where(counted > 0, values, np.nan)


def _accuracy(answers: Answers) -> float:
    return float(answers.correct.mean())


def _balanced_accuracy(answers: Answers) -> float:
    """Mean recall of the classes that occur."""
    return float(np.nanmean(recall(answers, answers.probabilities.shape[1])))


def _of_positive(figure: Callable[[Answers, int], np.ndarray], answers: Answers) -> float:
    return float(figure(answers, 2)[1])


def _macro(metric: Callable[..., Tensor], answers: Answers) -> float:
    """Over the classes that occur, as truth or as answer."""
    predicted, targets, classes = _tensors(answers)
    return float(metric(predicted, targets, classes, average="macro", validate_args=False))


def _top5(answers: Answers) -> float:
    labels = np.arange(answers.probabilities.shape[1])
    return float(top_k_accuracy_score(answers.targets, answers.probabilities, k=5, labels=labels))


def _ranked(metric: Callable[..., Tensor], answers: Answers) -> float:
    """Of the positive class, or the mean over the classes that have rows on both sides."""
    classes = answers.probabilities.shape[1]
    counts = np.bincount(answers.targets, minlength=classes)
    sided = np.flatnonzero((counts > 0) & (counts < len(answers)))
    if not len(sided):
        return float("nan")
    if classes == 2:
        sided = np.array([1])
    scores = [
        metric(
            torch.from_numpy(answers.probabilities[:, number]),
            torch.from_numpy((answers.targets == number).astype(np.int64)),
            validate_args=False,
        )
        for number in sided
    ]
    return float(torch.stack(scores).mean())


def _mcc(answers: Answers) -> float:
    """NaN where one class occurs only; 0 where one is always the answer, as in scikit-learn."""
    # torchmetrics makes up something there: 0.3 for 100 answers "no", 5 of them wrong.
    if not np.ptp(answers.targets):
        return float("nan")
    if not np.ptp(answers.predicted):
        return 0.0
    predicted, targets, classes = _tensors(answers)
    return float(tm.multiclass_matthews_corrcoef(predicted, targets, classes, validate_args=False))


def _losses(answers: Answers) -> np.ndarray:
    """Minus the logarithm of what was given to the truth, of each row; finite."""
    smallest = np.finfo(np.float64).eps
    logarithms = torch.from_numpy(answers.probabilities).clamp(min=smallest).log()
    losses = F.nll_loss(logarithms, torch.from_numpy(answers.targets), reduction="none")
    return np.asarray(losses.numpy())


def _log_loss(answers: Answers) -> float:
    return float(_losses(answers).mean())


def _ece(answers: Answers) -> float:
    _, targets, classes = _tensors(answers)
    probabilities = torch.from_numpy(answers.probabilities)
    return float(
        tm.multiclass_calibration_error(
            probabilities, targets, classes, n_bins=15, validate_args=False
        )
    )


def _positive(answers: Answers) -> np.ndarray:
    return np.asarray(answers.targets == 1)


def _said_positive(answers: Answers) -> np.ndarray:
    return np.asarray(answers.predicted == 1)


FIGURES: dict[str, Figure] = {
    "accuracy": Figure(_accuracy, "share of right answers"),
    "balanced_accuracy": Figure(
        _balanced_accuracy, "share of right answers, every class counting the same",
        balanced=True,
    ),
    "precision": Figure(
        partial(_of_positive, precision),
        "of the answers that say yes, the share that is right",
        classes="binary",
        rests_on=_said_positive,
    ),
    "recall": Figure(
        partial(_of_positive, recall),
        "of the images that are it, the share that was found",
        classes="binary",
        rests_on=_positive,
    ),
    "f1": Figure(
        partial(_of_positive, f1),
        "harmonic mean of precision and recall of the positive class",
        classes="binary",
        rests_on=_positive,
    ),
    "macro_precision": Figure(
        partial(_macro, tm.multiclass_precision), "precision, every class counting the same",
        balanced=True,
    ),
    "macro_f1": Figure(
        partial(_macro, tm.multiclass_f1_score), "F1, every class counting the same",
        balanced=True,
    ),
    "top5": Figure(
        _top5, "share of images whose class is among the 5 likeliest", classes="many",
        least_classes=6,
    ),
    "roc_auc": Figure(
        partial(_ranked, tm.binary_auroc),
        "chance that an image of the class scores higher than one of another",
        balanced=True, ranks=True,
    ),
    "pr_auc": Figure(
        partial(_ranked, tm.binary_average_precision),
        "mean precision over all recalls (average precision)",
        balanced=True, ranks=True,
    ),
    "mcc": Figure(
        _mcc, "correlation of answer and truth, 0 for guessing (Matthews)",
        balanced=True, share=False,
    ),
    "log_loss": Figure(
        _log_loss, "surprise at the truth; certainty that is wrong costs most", higher=False,
        scores=_losses,
    ),
    "ece": Figure(
        _ece, "mean gap between confidence and accuracy, 15 bins", higher=False, calibrates=True
    ),
    "ece_before": Figure(
        _ece, "the same gap before temperature scaling", higher=False, calibrates=True, before=True
    ),
}  # fmt: skip
