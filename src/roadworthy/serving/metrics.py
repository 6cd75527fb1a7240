"""What the service counts. Labels come from closed lists, so that nobody can make them grow."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER = "other"
"""Stands for every path that is no route and every method that is no usual one."""
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})


class Metrics:
    """The counters of one process; one for each registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.requests = Counter(
            "roadworthy_requests",
            "Requests answered or refused",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "roadworthy_request_seconds",
            "From the request's first line to the end of the answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.predictions = Counter(
            "roadworthy_predictions",
            "Images answered",
            ("task", "model_version", "label", "sure"),
            registry=self.registry,
        )
        self.inference = Histogram(
            "roadworthy_inference_seconds",
            "Network and calibration for the images of one request, without decoding",
            ("task",),
            buckets=SECONDS,
            registry=self.registry,
        )

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `route` is the path of the route, None when there was none."""
        method = method if method in METHODS else OTHER
        self.requests.labels(method, route or OTHER, str(status)).inc()
        self.seconds.labels(route or OTHER).observe(seconds)

    def text(self) -> bytes:
        """All figures in the Prometheus text format, of every worker process."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return generate_latest(every)
