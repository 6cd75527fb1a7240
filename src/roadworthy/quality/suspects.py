"""Images whose label is probably wrong: confident learning over out-of-fold predictions.

Each image is judged by a linear classifier on the features of a network, fitted without the image
and without its near-duplicates; cleanlab ranks the given labels by what the classifier makes of
them (Northcutt et al., Confident Learning, 2021).
"""

import numpy as np
import pandas as pd

from roadworthy.errors import DataError

# Inverse strength of the L2 penalty on standardised features; of 0.0001 to 0.1 the one that found most
# planted errors on every task (docs/how-to/audit.md).
C = 0.01
COLUMNS = ("path", "given", "suggested", "score", "issue", "label", "sha256")


def out_of_fold(
    features: np.ndarray, targets: np.ndarray, units: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Probabilities (N, C), each row from a classifier that saw nothing of the row's unit.

    Args:
        features: float (N, D).
        targets: class numbers (N,), from 0 without gaps.
        units: what must not be divided (N,): the same number for copies and frames of one clip.

    Raises:
        DataError: a class has fewer than two units.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fold = fold_of(targets, units, folds, seed)
    probabilities = np.zeros((len(targets), targets.max() + 1))
    for number in range(folds):
        judged = fold == number
        model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=300))
        model.fit(features[~judged], targets[~judged])
        if judged.any():
            # A class whose images all lie in this fold is unknown to the others: it stays at 0.
            found = model[-1].classes_
            probabilities[np.ix_(judged, found)] = model.predict_proba(features[judged])
    return probabilities


def fold_of(targets: np.ndarray, units: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, 0 to `folds` - 1: units whole, and dealt out class by class.

    Raises:
        DataError: a class has fewer than two units, so that nobody could judge it.
    """
    rows = pd.DataFrame({"unit": units, "target": targets})
    by_unit = rows.groupby("unit")["target"].agg(lambda values: values.mode().iloc[0])
    rng = np.random.default_rng(seed)
    shuffled = by_unit.iloc[rng.permutation(len(by_unit))]
    counts = rows.groupby("target")["unit"].nunique()
    if counts.min() < 2:
        raise DataError("a class has one image only, or copies of one: nothing can judge it")
    dealt = shuffled.groupby(shuffled).cumcount() % folds
    return rows["unit"].map(dealt).to_numpy()


def rank(rows: pd.DataFrame, labels: tuple[str, ...], probabilities: np.ndarray) -> pd.DataFrame:
    """All rows with what speaks against their label, the most suspicious first.

    Args:
        rows: columns path, target (numbers into `labels`), sha256.
        probabilities: out-of-fold (N, C).

    Returns:
        Columns `COLUMNS`: `score` is the probability (0 to 1) of the given label, `issue` is yes
        where confident learning holds it for wrong, `label` is the given one, to be edited.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    targets = rows["target"].to_numpy(np.int64)
    score = get_label_quality_scores(targets, probabilities, method="self_confidence")
    # As many as confident learning counts, from the front of the ranking: a third fewer false alarms
    # than its other ways of choosing them.
    issue = find_label_issues(targets, probabilities, filter_by="low_self_confidence", n_jobs=1)
    names = np.array(labels, dtype=object)
    table = pd.DataFrame(
        {
            "path": rows["path"].to_numpy(),
            "given": names[targets],
            "suggested": names[probabilities.argmax(axis=1)],
            "score": score.round(4),
            "issue": np.where(issue, "yes", ""),
            "label": names[targets],
            "sha256": rows["sha256"].to_numpy(),
        }
    )
    return table.iloc[np.argsort(score, kind="stable")].reset_index(drop=True)
