"""The pictures of an evaluation, as matplotlib figures."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from roadworthy.evaluation.metrics import Answers

mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
INK, ACCENT = "#1f2937", "#2563eb"


def confusion(answers: Answers, labels: Sequence[str]) -> Figure:
    """Rows are the truth, as shares of it; counts are written where they fit."""
    counts = confusion_matrix(answers.targets, answers.predicted, labels=np.arange(len(labels)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.32 * len(labels), 14)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45 if len(labels) > 2 else 0, ha="center")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="answer", ylabel="truth", title="Confusion, test split")
    if len(labels) <= 30:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else INK
                axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def reliability(answers: Answers, before: np.ndarray) -> Figure:
    """Confidence against accuracy, before and after temperature scaling."""
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#9ca3af", lw=1, ls="--")
    for name, probabilities, colour in (
        ("before scaling", before, "#9ca3af"),
        ("after scaling", answers.probabilities, ACCENT),
    ):
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == answers.targets
        bins = np.minimum((confidence * 10).astype(int), 9)
        table = pd.DataFrame({"confidence": confidence, "accuracy": right}).groupby(bins).mean()
        axes.plot(table["confidence"], table["accuracy"], "o-", color=colour, label=name)
    axes.set(xlabel="confidence", ylabel="accuracy", title="Reliability, test split")
    axes.legend(frameon=False)
    return figure


def curves(answers: Answers, threshold: float) -> Figure:
    """ROC and precision-recall of a binary task, with the chosen threshold."""
    positive = answers.probabilities[:, 1]
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    false, true, _ = roc_curve(answers.targets, positive)
    left.plot(false, true, color=ACCENT)
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    precision, recall, _ = precision_recall_curve(answers.targets, positive)
    right.plot(recall, precision, color=ACCENT)
    chosen = positive >= threshold
    if chosen.any():
        hit = (chosen & (answers.targets == 1)).sum()
        x, y = hit / max(int(answers.targets.sum()), 1), hit / chosen.sum()
        right.plot(x, y, "o", color="#dc2626", label=f"threshold {threshold:g}")
        right.legend(frameon=False, loc="lower left")
    right.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.05))
    return figure


def training(history: Sequence[dict[str, Any]]) -> Figure:
    """Losses and validation accuracy per epoch."""
    epochs = [row["epoch"] + 1 for row in history]
    figure = Figure(figsize=(7.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for key, colour in (("train/loss", "#9ca3af"), ("val/loss", ACCENT)):
        left.plot(epochs, [row[key] for row in history], "o-", color=colour, label=key)
    left.set(xlabel="epoch", title="Loss")
    left.legend(frameon=False)
    right.plot(epochs, [row["val/accuracy"] for row in history], "o-", color=ACCENT)
    right.set(xlabel="epoch", title="Validation accuracy")
    return figure
