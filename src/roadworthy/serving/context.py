"""What every route works with."""

from collections.abc import Mapping

import anyio

from roadworthy.serving.batching import Batcher
from roadworthy.serving.champions import Champion
from roadworthy.serving.fetch import Fetcher
from roadworthy.serving.limits import FORM_BYTES
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.records import PredictionLog
from roadworthy.serving.settings import Settings, cores
from roadworthy.serving.shadow import Shadow
from roadworthy.serving.tally import Tally


class Served:
    """The champions in use. A request looks once and keeps what it saw, so that a swap loses none.

    Args:
        metrics: says who answers.
    """

    def __init__(self, champions: Mapping[str, Champion], metrics: Metrics) -> None:
        self.metrics = metrics
        self.champions: Mapping[str, Champion] = {}
        """By task; replaced as a whole, never changed."""
        for task, champion in champions.items():
            self.replace(task, champion)

    def replace(self, task: str, champion: Champion) -> None:
        """Answer `task` with `champion` from the next request on."""
        self.champions = {**self.champions, task: champion}
        engine = champion.predictor.engine
        self.metrics.serves(task, champion.version, champion.digest, engine)


class Context:
    """Made once per process, in its event loop or before it.

    Args:
        settings: of this process.
        champions: by task.
        metrics: where to count.
        shadow: asks challengers too; None: there are none.
    """

    def __init__(
        self,
        settings: Settings,
        champions: Mapping[str, Champion],
        metrics: Metrics | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.served = Served(champions, self.metrics)
        self.shadow = shadow
        self.decoders = anyio.CapacityLimiter(settings.decoders or min(2, cores()))
        """Threads that decode: what a small file becomes may be large."""
        lanes, _ = settings.shared(cores())
        self.batcher = Batcher(settings.batch, lanes, self.metrics, settings.queue)
        self.fetcher = Fetcher(settings)
        self.log = PredictionLog(settings, self.metrics) if settings.log else None
        self.tally = Tally(settings) if settings.log else None
        if self.shadow:
            self.shadow.log = self.log

    @property
    def max_bytes(self) -> int:
        """Of one request's body."""
        champions = self.served.champions.values()
        largest = max((c.predictor.spec.max_bytes for c in champions), default=0)
        return largest + FORM_BYTES

    def figures(self) -> bytes:
        """All metrics, drift as of now, in the Prometheus text format."""
        for task, champion in self.served.champions.items():
            self.metrics.drifted(task, len(champion.window), champion.window.scores())
        return self.metrics.text()

    def close(self) -> None:
        """Finish what was begun; the log is written to its end."""
        self.batcher.close()
        self.fetcher.close()
        if self.shadow:
            self.shadow.close()
        if self.log:
            self.log.close()
        if self.tally:
            self.tally.close()
