"""What the service counts. Labels come from closed lists, so that nobody can make them grow."""

import os
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WAITED = (0.001, 0.0025, *SECONDS)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
OTHER = "other"
"""Stands for every path that is no route, every method that is no usual one, every other word."""
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})
REASONS = frozenset(
    {"bad_length", "bad_url", "busy", "internal", "invalid", "method", "no_finder", "no_image"}
    | {
        "no_key",
        "no_task",
        "no_threshold",
        "not_found",
        "not_json",
        "not_kept",
        "not_written",
        "overloaded",
    }
    | {"rate_limited", "too_large", "too_many_files", "too_slow", "unknown_label", "unknown_task"}
    | {"unusable_image", "url_failed", "url_not_allowed", "url_slow", "urls_off", "wrong_key"}
)
"""The words of `Refusal` that are counted by name."""


class Metrics:
    """The figures of one process; one for each registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests()
        self._answers()
        self._log()
        self._models()

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request; `route` is the path of the route, None when there was none."""
        method = method if method in METHODS else OTHER
        self.requests.labels(method, route or OTHER, str(status)).inc()
        self.seconds.labels(route or OTHER).observe(seconds)

    def refused(self, error: str) -> None:
        """Count one refusal by its word."""
        self.refusals.labels(error if error in REASONS else OTHER).inc()

    def waited(self, seconds: float) -> None:
        """An image waited so long for its batch to begin."""
        self.queue.observe(seconds)

    def computed(self, task: str, images: int, seconds: float) -> None:
        """A batch was answered by the engine."""
        self.batches.labels(task).observe(images)
        self.inference.labels(task).observe(seconds)

    def answered(self, task: str, version: int, label: str, sure: bool, confidence: float) -> None:
        """One image was answered, with this probability of its label."""
        self.predictions.labels(task, version, label, str(sure).lower()).inc()
        self.confidence.labels(task).observe(confidence)

    def logged(self, kind: str, count: int = 1) -> None:
        """So many of `kind` (record, image) were written to the prediction log."""
        self.log_written.labels(kind).inc(count)

    def dropped(self, kind: str, reason: str, count: int = 1) -> None:
        """So many of `kind` (also shadow) were lost: reason queue, disk, closed or unusable."""
        if count:
            self.log_dropped.labels(kind, reason).inc(count)

    def told(self, task: str, agrees: bool | None) -> None:
        """Feedback came; whether it says what was answered, None where that is not known."""
        word = {True: "yes", False: "no", None: "unknown"}[agrees]
        self.feedback.labels(task, word).inc()

    def shadowed(self, task: str, agrees: bool) -> None:
        """A challenger answered in silence; whether it said what the champion said."""
        self.shadow_answers.labels(task).inc()
        if not agrees:
            self.shadow_disagreements.labels(task).inc()

    def swapped(self, task: str, done: bool) -> None:
        """A new version was tried: it answers now, or the old one still does."""
        self.swaps.labels(task, "done" if done else "failed").inc()

    def serves(self, task: str, version: int, digest: str, engine: str) -> None:
        """From now on `task` is answered by this model and no other."""
        if before := self._served.get(task):
            _forget(self.model, before)
        self._served[task] = (task, str(version), digest, engine)
        self.model.labels(*self._served[task]).set(1)

    def drifted(self, task: str, images: int, scores: Mapping[str, float | None]) -> None:
        """What `monitoring.drift.Window` says; a score that is None is not shown."""
        self.drift_images.labels(task).set(images)
        for statistic, score in scores.items():
            if score is None:
                _forget(self.drift, (task, statistic))
            else:
                self.drift.labels(task, statistic).set(score)

    def text(self) -> bytes:
        """All figures in the Prometheus text format, of every worker process."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return generate_latest(every)

    def _requests(self) -> None:
        self.requests = self._counter(
            "requests", "Requests answered or refused", "method", "route", "status"
        )
        self.refusals = self._counter("refusals", "Requests refused, by the word", "reason")
        self.seconds = self._histogram(
            "request_seconds",
            "From the request's first line to the end of the answer",
            SECONDS,
            "route",
        )

    def _answers(self) -> None:
        self.queue = self._histogram(
            "queue_seconds", "How long a decoded image waited for its batch to begin", WAITED
        )
        self.batches = self._histogram(
            "batch_images", "Images that were answered together", IMAGES, "task"
        )
        self.inference = self._histogram(
            "inference_seconds", "Network for one batch, without decoding", SECONDS, "task"
        )
        self.predictions = self._counter(
            "predictions", "Images answered", "task", "model_version", "label", "sure"
        )
        self.confidence = self._histogram(
            "confidence_ratio", "Probability of the label that was answered", RATIOS, "task"
        )

    def _log(self) -> None:
        self.log_written = self._counter("log_written", "Written to the prediction log", "kind")
        self.log_dropped = self._counter(
            "log_dropped", "Not logged, or not asked of a challenger", "kind", "reason"
        )
        self.feedback = self._counter("feedback", "Feedback kept", "task", "agrees")

    def _models(self) -> None:
        self._served: dict[str, tuple[str, ...]] = {}
        self.model = self._gauge(
            "model_info", "1 for the models that answer", "task", "version", "digest", "engine"
        )
        self.swaps = self._counter("swaps", "New versions tried", "task", "result")
        self.shadow_answers = self._counter(
            "shadow_answers", "Images a challenger answered unseen", "task"
        )
        self.shadow_disagreements = self._counter(
            "shadow_disagreements", "Of these, where the champion gave another label", "task"
        )
        self.drift = self._gauge(
            "drift_psi", "Population stability index of the latest images", "task", "statistic"
        )
        self.drift_images = self._gauge("drift_images", "Images that drift is of", "task")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"roadworthy_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        # Of several worker processes the worst counts: each looks at its own images.
        return Gauge(
            f"roadworthy_{name}", text, labels, registry=self.registry, multiprocess_mode="livemax"
        )

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"roadworthy_{name}", text, labels, buckets=buckets, registry=self.registry
        )


def _forget(gauge: Gauge, labels: tuple[str, ...]) -> None:
    """Show no value any more; among several processes that cannot be, and it becomes 0."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        gauge.labels(*labels).set(0)
    else:
        gauge.remove(*labels)
