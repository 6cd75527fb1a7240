"""Which images would teach most if a person told their label.

Uncertain ones that are unlike each other, as Ash et al. (2020), "Deep batch active learning by
diverse, uncertain gradient lower bounds", choose: the seeding of k-means++ (Arthur and Vassilvitskii
2007), here over embeddings, each weighted by the entropy of its answer, and begun from what is known.
"""

from math import log

import numpy as np

from roadworthy.monitoring.embedding import standardised

LEAST_WEIGHT = 0.01
"""Of an answer without any doubt, where 1 is one that could not be more in doubt."""
SAME = 1e-4
"""Mean squared difference of standardised figures up to which two images are copies."""
CHUNK = 1024


def most_teaching(
    embeddings: np.ndarray,
    probabilities: np.ndarray,
    count: int,
    known: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Choose images that the network is unsure of, unlike each other and unlike what is known.

    Args:
        embeddings: float (N, D); an image whose embedding is no number is not chosen.
        probabilities: calibrated, (N, C).
        count: how many at most.
        known: embeddings of images whose labels are known (K, D).
        seed: of the draw; the same seed gives the same images.

    Returns:
        Places int64 (at most `count`,), each once, best first; fewer where the rest are copies.
    """
    rows = _halves(embeddings)
    usable = np.flatnonzero(np.isfinite(rows).all(axis=1))
    if not len(usable) or count <= 0:
        return np.zeros(0, np.int64)
    others = _halves(embeddings[:0] if known is None else known)
    others = others[np.isfinite(others).all(axis=1)]
    rows = standardised(np.concatenate([rows[usable], others]))
    rows, others = rows[: len(usable)], rows[len(usable) :]
    weights = uncertainty(probabilities[usable])
    nearest = np.ones(len(rows))
    if len(others):
        parts = [others[start : start + CHUNK] for start in range(0, len(others), CHUNK)]
        nearest = np.min([_away(rows, part).min(axis=1) for part in parts], axis=0)
    chosen = _spread(rows, weights, nearest, count, np.random.default_rng(seed))
    return np.asarray(usable[chosen], np.int64)


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each answer (N,), from 0.01 (sure) to 1 (all labels alike), of (N, C)."""
    shares = np.clip(np.asarray(probabilities, np.float64), 1e-12, 1)
    entropy = -(shares * np.log(shares)).sum(axis=1) / log(max(2, shares.shape[1]))
    return np.asarray(np.clip(entropy, LEAST_WEIGHT, 1))


def _spread(
    rows: np.ndarray,
    weights: np.ndarray,
    nearest: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Greedy k-means++: of a few drawn by weight and distance the one that leaves least to explain.

    Args:
        nearest: squared distance of each row to what is known; 1 where nothing is.
    """
    chosen: list[int] = []
    tries = 2 + int(log(count))
    while len(chosen) < min(count, len(rows)):
        worth = weights * nearest
        if not worth.any():
            break
        drawn = rng.choice(len(rows), tries, p=worth / worth.sum())
        left = np.minimum(nearest, _away(rows, rows[drawn]).T)
        best = int((left @ weights).argmin())
        chosen.append(int(drawn[best]))
        nearest = left[best]
    return np.array(chosen, np.int64)


def _halves(embeddings: np.ndarray) -> np.ndarray:
    """As the prediction log keeps them: an embedding from there is equal to the same from elsewhere."""
    with np.errstate(over="ignore"):
        return embeddings.astype(np.float16)


def _away(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mean squared differences float64 (N, K), 0 between copies."""
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    found = (squares - 2 * (rows @ others.T)) / rows.shape[1]
    return np.asarray(np.where(found <= SAME, 0.0, found), np.float64)
