"""What a classifier reaches that never looks at the picture: the bar a real one must clear by far.

Where size, format, file size and mean colours alone name the label, a network may learn those
instead of what the picture shows, and fail on images that were collected in another way
(Geirhos et al., "Shortcut learning in deep neural networks", 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from roadworthy.quality.units import units

# What is seen, by the name under which it is told.
FEATURES: dict[str, tuple[str, ...]] = {
    "width": ("width",),
    "height": ("height",),
    "aspect": ("aspect",),
    "format": ("format",),
    "file size": ("bytes",),
    "mean colour": ("red", "green", "blue"),
    "border colour": ("border_red", "border_green", "border_blue"),
}
# What one forest sees. Mean and border colour are kept apart: their difference tells whether something
# stands in the middle, and that is to look at the picture (0.73 on drawn patches of cars).
VIEWS = tuple(
    [name for feature, names in FEATURES.items() if feature != hidden for name in names]
    for hidden in ("border colour", "mean colour")
)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
FOLDS, MAX_ROWS, TREES = 5, 6_000, 50


@dataclass(frozen=True)
class Alone:
    """How far one feature gets on its own."""

    feature: str
    accuracy: float
    gain: float
    """Over always naming the largest class; see `Shortcut.gain`."""


@dataclass(frozen=True)
class Shortcut:
    """How far they get together, on images that were not learned from; of `VIEWS` the better one."""

    rows: int
    """Images that were looked at; 0 where there is nothing to tell apart."""
    classes: int
    majority: str
    """The largest class."""
    share: float
    """Its share: the accuracy of always naming it."""
    accuracy: float
    balanced: float
    """Mean over the classes of the share named right."""
    gain: float
    """By how much guessing is beaten, 0 to 1: accuracy over `share`, or, where that is more, the
    balanced accuracy over one class in so many. The second finds the shortcut to a rare class."""
    sure: float
    """The part of it that chance does not explain: two standard errors less."""
    features: tuple[Alone, ...]
    """The most telling one first."""


def find(rows: pd.DataFrame, seed: int = 0) -> Shortcut:
    """Look for a shortcut by cross-validation, with clusters and groups whole in one fold.

    Args:
        rows: usable manifest rows: the columns of `FEATURES`, label, and cluster and group where known.
        seed: of the sample (at most `MAX_ROWS`, in the proportions of the classes), folds, trees.

    Returns:
        The same figures on every machine.
    """
    rows = _sample(rows.reset_index(drop=True), seed)
    counts = rows["label"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    labels, folds = rows["label"].to_numpy(str), _deal(rows, seed)
    if len(counts) < 2 or len(np.unique(folds)) < 2:
        return Shortcut(0, len(counts), str(next(iter(counts.index), "")), 0, 0, 0, 0, 0, ())
    return Shortcut(
        len(rows),
        len(counts),
        str(counts.index[0]),
        round(float(counts.iloc[0] / len(rows)), 4),
        *_together(rows, labels, folds, seed),
        _alone(rows, labels, folds, seed),
    )


def accuracy(train: pd.DataFrame, test: pd.DataFrame, seed: int = 0) -> float:
    """Accuracy on `test` of a forest that sees only size, format, file size and mean colours.

    Args:
        train, test: manifest rows with a `label`.
    """
    labels, truth = train["label"].to_numpy(str), test["label"].to_numpy(str)
    reached = []
    for names in VIEWS:
        forest = _forest(seed, 300, 3).fit(_features(train, names), labels)
        reached.append(float(np.mean(forest.predict(_features(test, names)) == truth)))
    return max(reached)


def _together(
    rows: pd.DataFrame, labels: np.ndarray, folds: np.ndarray, seed: int
) -> tuple[float, float, float, float]:
    """Accuracy, balanced accuracy, gain and its sure part of the better view."""
    forest = _forest(seed, TREES, max(3, len(rows) // 500))
    answers = [_out_of_fold(_features(rows, names), labels, folds, forest) for names in VIEWS]
    best = max((_figures(labels, said) for said in answers), key=lambda figures: figures[2])
    return *best, _sure(rows, *best[:2])


def _alone(
    rows: pd.DataFrame, labels: np.ndarray, folds: np.ndarray, seed: int
) -> tuple[Alone, ...]:
    """A tree for each feature, the most telling first."""
    tree = DecisionTreeClassifier(min_samples_leaf=max(3, len(rows) // 200), random_state=seed)
    found = []
    for feature, names in FEATURES.items():
        answers = _out_of_fold(_features(rows, names), labels, folds, tree)
        accuracy, _, gain = _figures(labels, answers)
        found.append(Alone(feature, accuracy, gain))
    return tuple(sorted(found, key=lambda one: (-one.gain, -one.accuracy)))


def _forest(seed: int, trees: int, leaf: int) -> RandomForestClassifier:
    # One job: several would add up the votes in the order in which they happen to end.
    return RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=seed, n_jobs=1)


_PLACE = {name: place for place, name in enumerate(FORMATS)}


def _features(rows: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """float32 of shape (rows, names); the format as its place in `FORMATS`, others after them."""
    return np.column_stack(
        [
            [_PLACE.get(str(value), len(FORMATS)) for value in rows[name]]
            if name == "format"
            else rows[name].to_numpy(np.float32, na_value=0)
            for name in names
        ]
    ).astype(np.float32)


def _out_of_fold(
    features: np.ndarray, labels: np.ndarray, folds: np.ndarray, model: ClassifierMixin
) -> np.ndarray:
    """What a model says of each row that learned from the other folds."""
    answers = labels.copy()
    for fold in np.unique(folds):
        held = folds == fold
        answers[held] = model.fit(features[~held], labels[~held]).predict(features[held])
    return answers


def _figures(labels: np.ndarray, answers: np.ndarray) -> tuple[float, float, float]:
    right = pd.Series(answers == labels)
    per_class = right.groupby(labels).mean()
    accuracy, balanced = float(right.mean()), float(per_class.mean())
    share = float(pd.Series(labels).value_counts(normalize=True).max())
    gain = max(accuracy - share, balanced - 1 / len(per_class), 0.0)
    return round(accuracy, 4), round(balanced, 4), round(gain, 4)


def _sure(rows: pd.DataFrame, accuracy: float, balanced: float) -> float:
    """The gain less two standard errors of a coin; copies of one picture are one throw of it."""
    throws = rows.groupby(units(rows))["label"].first().value_counts().to_numpy(float)
    share = float(rows["label"].value_counts(normalize=True).max())
    plain = accuracy - share - 1 / np.sqrt(throws.sum())
    even = balanced - 1 / len(throws) - np.sqrt((1 / throws).sum()) / len(throws)
    return round(max(float(plain), float(even), 0.0), 4)


def _deal(rows: pd.DataFrame, seed: int) -> np.ndarray:
    """A fold per row: units are dealt out class by class, like cards.

    As scikit-learn's StratifiedGroupKFold does, which refuses classes that are rarer than folds.
    """
    unit = pd.Series(units(rows), index=rows.index)
    first = rows.assign(unit=unit).groupby("unit")["label"].first()
    shuffled = first.sample(frac=1, random_state=seed).sort_values(kind="stable")
    fold = pd.Series(np.arange(len(shuffled)) % FOLDS, index=shuffled.index)
    return unit.map(fold).to_numpy(int)


def _sample(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    if len(rows) <= MAX_ROWS:
        return rows
    kept = rows.sample(frac=1, random_state=seed).groupby("label", sort=False)
    share = MAX_ROWS / len(rows)
    place = kept.cumcount() + 0.5
    size = kept["label"].transform("size")
    return rows.loc[sorted(place.index[place <= size * share])].reset_index(drop=True)
