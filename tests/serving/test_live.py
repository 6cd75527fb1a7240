"""Live figures are read out of what Prometheus is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from roadworthy.serving.champions import Champion
from roadworthy.serving.live import live, quantile, read
from roadworthy.serving.metrics import SECONDS, Metrics


@given(st.lists(st.floats(0.001, 9.9), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    """As near as buckets allow."""
    registry = CollectorRegistry()
    histogram = Histogram("roadworthy_x_seconds", "x", buckets=SECONDS, registry=registry)
    for value in values:
        histogram.observe(value)
    samples = [one for one in read(generate_latest(registry)) if one.name.endswith("_bucket")]
    found = quantile({float(one.labels["le"]): one.value for one in samples}, share)
    true = float(np.quantile(values, share, method="inverted_cdf"))
    bounds = [0.0, *SECONDS]
    place = int(np.searchsorted(SECONDS, true))
    assert found is not None
    assert bounds[place] - 1e-9 <= found <= bounds[place + 1] + 1e-9


def test_without_values_there_is_no_quantile() -> None:
    """Not zero seconds."""
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0, float("inf"): 0}, 0.5) is None
    assert quantile({1.0: 0, float("inf"): 3}, 0.5) == 1.0


def test_only_this_version_of_this_task_is_counted(champions: dict[str, Champion]) -> None:
    """After a swap the new version begins at nothing."""
    metrics, champion = Metrics(), champions["car"]
    for version in (champion.version, champion.version, champion.version - 1):
        metrics.answered("car", version, "car", True, 0.9)
    metrics.answered("brand", champion.version, "a", True, 0.9)
    metrics.computed("car", 2, 0.02)
    found = live("car", champion, read(metrics.text()))
    assert found.requests == 2
    assert found.latency.p50 == pytest.approx(0.02, abs=0.01)
    assert found.drift == {}
    other = live("brand", champions["brand"], read(metrics.text()))
    assert (other.requests, other.latency.p99) == (0, None)
