"""Metrics and tags on their way to the store: they wait here until the store has them."""

import math
import time
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from roadworthy.tracking import store

METRICS_PER_BATCH = 1000
# After a failed attempt that took a second, the next one is made ten seconds later at the earliest.
REST = 10.0
SYSTEM = "system/"


class Outbox:
    """What is to be written to one run, in order; nothing is written twice.

    Sending the same metrics again is harmless: the store knows them by name, step and time.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self.away = False
        """Whether the last attempt failed."""
        self._metrics: list[Metric] = []
        self._tags: dict[str, str] = {}
        self._known: dict[tuple[str, int], float] = {}
        self._rests_until = -math.inf

    def recall(self) -> None:
        """Read what an earlier process has written, so that it is not written again."""
        for key in self.client.get_run(self.run_id).data.metrics:
            if not key.startswith(SYSTEM):
                history = self.client.get_metric_history(self.run_id, key)
                self._known |= {(key, point.step): point.value for point in history}

    def add_metrics(self, values: Mapping[str, float], step: int, *, once: bool) -> None:
        """Put figures of one step in line; with `once`, without those that the store has or will get."""
        now = int(time.time() * 1000)
        for key, value in values.items():
            if not (once and _same(self._known.get((key, step)), value)):
                self._metrics.append(Metric(key, float(value), now, step))
                self._known[key, step] = float(value)

    def add_tags(self, values: Mapping[str, str]) -> None:
        """Put tags in line."""
        self._tags |= values

    @property
    def waiting(self) -> int:
        """How many metrics the store does not have yet."""
        return len(self._metrics)

    def send(self) -> None:
        """Write everything that waits.

        Raises:
            MlflowException: the store cannot be reached or refuses; what it has not got still waits.
        """
        self.away = True
        while self._metrics:
            self.client.log_batch(self.run_id, metrics=self._metrics[:METRICS_PER_BATCH])
            del self._metrics[:METRICS_PER_BATCH]
        if self._tags:
            tags = [RunTag(key, value) for key, value in self._tags.items()]
            self.client.log_batch(self.run_id, tags=tags)
            self._tags.clear()
        self.away = False

    def send_in_passing(self) -> None:
        """The same for a training: a store that is away costs it 3 seconds, and a tenth of its time.

        Raises:
            MlflowException: as `send`; silent while it is too early to try again.
        """
        begun = time.monotonic()
        if begun < self._rests_until:
            return
        try:
            with store.hurried():
                self.send()
        finally:
            ended = time.monotonic()
            self._rests_until = ended + REST * (ended - begun) if self.away else -math.inf


def _same(known: float | None, value: float) -> bool:
    return known is not None and (known == value or (math.isnan(known) and math.isnan(value)))
