"""Made-up findings of a binary task, of some classes or of many, for what shows findings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from roadworthy.evaluation.bootstrap import Estimate
from roadworthy.evaluation.findings import Findings, Fitted, Shot, Speed, Spent

CHANGES = ("blur", "noise", "JPEG", "darkness", "rotation", "occlusion")
SLICED = ("label", "source", "brightness", "sharpness", "size")


def made(classes: int = 13, images: int = 300, seed: int = 0, **changes: Any) -> Findings:
    """Two classes make a binary task; `changes` replace fields."""
    labels = ("other", "police") if classes == 2 else [f"make {n:03}" for n in range(classes)]
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, images - classes)])
    scores = rng.normal(0, 1, (images, classes))
    scores[np.arange(images), targets] += 4
    # Every fourth class is easily taken for the one half-way round.
    twins = (targets + classes // 2) % classes
    scores[np.arange(images), twins] += np.where(targets % 4 == 0, 3.0, 0.0)
    raised = np.exp(scores)
    findings = of(labels, targets, raised / raised.sum(axis=1, keepdims=True))
    return replace(findings, **changes)


def of(labels: Sequence[str], targets: np.ndarray, probabilities: np.ndarray) -> Findings:
    """Findings about these answers; what needs images or a network is invented."""
    predicted = probabilities.argmax(axis=1)
    correct, sure = targets == predicted, probabilities.max(axis=1)
    counts = confusion_matrix(targets, predicted, labels=np.arange(len(labels)))
    binary = len(labels) == 2
    fitted = Fitted(1.31, 0.43 if binary else None, 0.6)
    names = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "log_loss", "ece", "ece_before")
    values = (correct.mean(), correct.mean(), correct.mean() - 0.01, 0.8, 0.43, 0.041, 0.093)
    figures = {k: _estimate(float(v)) for k, v in zip(names, values, strict=True)}
    figures |= {"pr_auc": _estimate(0.96)} if binary else {"top5": _estimate(0.98)}
    shots = [_shot(n, labels, targets, predicted, sure) for n in range(12)]
    return Findings(
        task="police" if binary else "brand",
        kind="binary" if binary else "multiclass",
        labels=labels,
        rows={"train": 1064, "val": 211, "test": len(targets)},
        confidence=0.95,
        figures=figures,
        validation={name: _estimate(one.value - 0.02) for name, one in figures.items()},
        baseline=0.066,
        fitted=fitted,
        threshold_rule="max_f1" if binary else "",
        sure_rule="0.6",
        counts=counts,
        classes=_classes(labels, targets, predicted),
        confusions=_confusions(labels, counts),
        thresholds=_thresholds(targets, probabilities[:, 1] if binary else None, fitted.threshold),
        confidences=_confidences(correct, sure, fitted.sure),
        reliability=_reliability(correct, sure),
        slices=_slices(labels, targets, correct),
        stress=_stress(float(correct.mean())),
        behaviour=_behaviour(),
        history=[
            {"epoch": n, "train/loss": 1.5 / (n + 1), "val/loss": 1.2 / (n + 1) + 0.2}
            | {"val/accuracy": 0.9 - 0.4 / (n + 1), "lr": 0.001}
            for n in range(6)
        ],
        fixed=shots[:6],
        errors=sorted(shots, key=lambda one: not one.wrong),
        explained={
            kind: [replace(one, heat=one.image.rotate(90)) for one in shots[start : start + 4]]
            for kind, start in (("best", 0), ("worst", 4), ("doubtful", 8))
        },
        speed=Speed(
            "8-core processor, 2 threads", 7.4, 9.1, 210.0, 14.2, 160.0, 94.1, 25557032, 3e-6
        ),
        spent=Spent(0.42, 0.051, 0.023, 0.12, "8-core processor"),
        lineage={
            "git_commit": "0123abc",
            "data_version": "3f9e77",
            "backbone": "resnet50 (pretrain)",
        },
    )


def _estimate(value: float) -> Estimate:
    return Estimate(
        value, max(value - 0.035, 0.0), value + 0.03 if value > 1 else min(value + 0.03, 1)
    )


def _classes(labels: Sequence[str], targets: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    places = np.arange(len(labels))
    *scores, images = precision_recall_fscore_support(
        targets, predicted, labels=places, zero_division=0.0
    )
    table = pd.DataFrame({"class": labels, "images": images})
    for name, values in zip(("precision", "recall", "f1"), scores, strict=True):
        half = 0.5 / np.sqrt(np.maximum(images, 1))
        table[name] = values
        table[f"{name}_low"] = np.clip(values - half, 0, 1)
        table[f"{name}_high"] = np.clip(values + half, 0, 1)
    return table


def _confusions(labels: Sequence[str], counts: np.ndarray) -> pd.DataFrame:
    rows = [
        (labels[t], labels[a], int(counts[t, a]), counts[t, a] / counts[t].sum())
        for t, a in np.ndindex(*counts.shape)
        if t != a and counts[t, a]
    ]
    table = pd.DataFrame(rows, columns=["truth", "answer", "images", "share"])
    return table.sort_values(["images", "share", "truth"], ascending=[False, False, True])


def _thresholds(
    targets: np.ndarray, positive: np.ndarray | None, chosen: float | None
) -> pd.DataFrame:
    columns = ["threshold", "precision", "recall", "f1", "coverage", "cost"]
    if positive is None or chosen is None:
        return pd.DataFrame(columns=columns, dtype=float)
    rows = []
    for cut in np.union1d(np.linspace(0, 1, 101), chosen):
        said = positive >= cut
        hit = float((said & (targets == 1)).sum())
        precision, recall = hit / max(said.sum(), 1), hit / max((targets == 1).sum(), 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        rows.append((cut, precision, recall, f1, said.mean(), (said != (targets == 1)).mean()))
    return pd.DataFrame(rows, columns=columns)


def _confidences(correct: np.ndarray, sure: np.ndarray, chosen: float) -> pd.DataFrame:
    rows = []
    for cut in np.union1d(np.linspace(0, 1, 101), chosen):
        kept = sure >= cut
        accuracy = correct[kept].mean() if kept.any() else float("nan")
        cost = ((kept & ~correct).sum() + 0.2 * (~kept).sum()) / len(correct)
        rows.append((cut, kept.mean(), accuracy, cost))
    return pd.DataFrame(rows, columns=["confidence", "coverage", "accuracy", "cost"])


def _reliability(correct: np.ndarray, sure: np.ndarray) -> pd.DataFrame:
    rows = []
    for state, moved in (("before", (sure + 1) / 2), ("after", sure)):
        bins = np.minimum((moved * 15).astype(int), 14)
        for one in np.unique(bins):
            here = bins == one
            rows.append((state, moved[here].mean(), correct[here].mean(), int(here.sum())))
    return pd.DataFrame(rows, columns=["state", "confidence", "accuracy", "images"])


def _slices(labels: Sequence[str], targets: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    rng, rows = np.random.default_rng(1), []
    for column in SLICED:
        for value in labels if column == "label" else ("low", "middle", "high"):
            here = targets == list(labels).index(value) if column == "label" else None
            right = correct[here] if here is not None else rng.permutation(correct)[::3]
            share = float(right.mean())
            p = 0.001 if share < 0.5 else 0.4
            ends = (max(share - 0.1, 0.0), min(share + 0.08, 1.0))
            part = (f"{column} {value}", column, value, len(right), share, *ends)
            rows.append((*part, p, min(p * 4, 1.0), share < 0.5))
    columns = ["slice", "column", "value", "images", "accuracy", "low", "high"]
    columns += ["p", "p_corrected", "weak"]
    return pd.DataFrame(rows, columns=columns).sort_values(["accuracy", "slice"], ignore_index=True)


def _stress(accuracy: float) -> pd.DataFrame:
    rows = [("none", 0, accuracy)]
    for place, change in enumerate(CHANGES):
        rows += [
            (change, n, accuracy * (1 - 0.02 * n * (place + 1) ** 1.3 / 1.6)) for n in (1, 2, 3)
        ]
    table = pd.DataFrame(rows, columns=["change", "strength", "accuracy"])
    return table.assign(low=table["accuracy"] - 0.04, high=np.minimum(table["accuracy"] + 0.04, 1))


def _behaviour() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("mirrored", 0.957, 0.9, True, "95.7% of the answers stay when the image is mirrored"),
            ("shifted by 2%", 0.981, 0.95, True, "98.1% stay when it is moved by 2% of its side"),
            ("blank", 0.25, 0.0, False, "25% of blank images get a sure answer"),
        ],
        columns=["check", "figure", "limit", "passed", "words"],
    )


def _shot(
    place: int, labels: Sequence[str], targets: np.ndarray, predicted: np.ndarray, sure: np.ndarray
) -> Shot:
    pixels = np.random.default_rng(place).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
    names = labels[targets[place]], labels[predicted[place]]
    sha = f"{place:02}" * 32
    return Shot(sha, f"folder/image {place}.jpg", *names, float(sure[place]), image)
