"""What this process has counted of a model since it started, out of its Prometheus figures."""

import math
from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import BaseModel, Field

from roadworthy.serving.champions import Champion

ANSWERED = "roadworthy_predictions_total"
BUCKETS = "roadworthy_inference_seconds_bucket"


class Latency(BaseModel):
    """Of the network for one batch of images, in seconds; null before the first."""

    p50: float | None = None
    p99: float | None = None


class Live(BaseModel):
    """What this process has seen of a model since it started."""

    requests: int = Field(description="Images answered by this version")
    latency: Latency
    drift: dict[str, float] = Field(
        description="Population stability index of the latest images; above 0.25 they have drifted"
    )


def read(text: bytes) -> list[Sample]:
    """The samples of figures in the Prometheus text format."""
    families: Iterable[Metric] = text_string_to_metric_families(text.decode())
    return [sample for family in families for sample in family.samples]


def live(task: str, champion: Champion, samples: Sequence[Sample]) -> Live:
    """What was counted of one champion."""
    own = [sample for sample in samples if sample.labels.get("task") == task]
    version = str(champion.version)
    answered = sum(
        sample.value
        for sample in own
        if sample.name == ANSWERED and sample.labels["model_version"] == version
    )
    buckets = {float(one.labels["le"]): one.value for one in own if one.name == BUCKETS}
    return Live(
        requests=round(answered),
        latency=Latency(p50=quantile(buckets, 0.5), p99=quantile(buckets, 0.99)),
        drift={name: one for name, one in champion.window.scores().items() if one is not None},
    )


def quantile(buckets: dict[float, float], share: float) -> float | None:
    """The value below which a share of all lies, as Prometheus' `histogram_quantile` estimates it.

    Args:
        buckets: how many are not above each bound; the largest bound is infinite.

    Returns:
        None where there are none; the largest finite bound where it lies above that.
    """
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    wanted = share * buckets[bounds[-1]]
    place = next(place for place, bound in enumerate(bounds) if buckets[bound] >= wanted)
    upper, lower = bounds[place], bounds[place - 1] if place else 0.0
    if math.isinf(upper):
        return lower
    below = buckets[lower] if place else 0.0
    return lower + (upper - lower) * (wanted - below) / max(buckets[upper] - below, 1.0)
