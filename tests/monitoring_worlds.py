"""References and windows of a small made-up world, for tests of single comparisons."""

import numpy as np

from roadworthy.monitoring.evidence import Live
from roadworthy.monitoring.reference import STATISTICS, Reference

ASPECTS = np.array([1.0, 4 / 3, 1.5, 16 / 9])


def statistics(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    light = rng.normal(0.5, 0.1, count)
    found = {name: light + rng.normal(0, 0.03, count) for name in STATISTICS}
    found["sharpness"] = rng.gamma(2, 0.01, count)
    found["aspect"] = rng.choice(ASPECTS, count)
    return found


def reference(count: int = 200, seed: int = 0, labels: int = 3) -> Reference:
    rng = np.random.default_rng(seed)
    answers = rng.dirichlet(np.full(labels, 0.4), count).astype(np.float32)
    return Reference(
        {}, statistics(rng, count), answers, rng.normal(size=(count, 12)).astype(np.float16)
    )


def live(count: int = 200, seed: int = 1, labels: int = 3, **changes: object) -> Live:
    made = reference(count, seed, labels)
    assert made.probabilities is not None and made.embeddings is not None
    values = {"probabilities": made.probabilities, "embeddings": made.embeddings}
    return Live(**{"statistics": dict(made.statistics), **values, **changes})  # type: ignore[arg-type]
