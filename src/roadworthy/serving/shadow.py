"""Shadow mode: a challenger answers a share of the traffic, and only the operator sees what it says.

What the caller gets was decided before. Challengers work in one thread that lets everything else go
first, on images that wait in a short queue; what finds the queue full is left out and counted.
"""

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, Full, Queue

import numpy as np

from roadworthy.bundle.predictor import Engine, Prediction, scaled_to
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.models.outputs import to_probabilities
from roadworthy.serving.champions import Champion
from roadworthy.serving.follow import Follower, be_nice
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.offers import Source
from roadworthy.serving.record import Record, facts
from roadworthy.serving.records import PredictionLog

CHALLENGER = "challenger"
WAITING = 64
"""Images that may wait for a challenger."""
WAITING_BYTES = 32_000_000
CLOSE_SECONDS = 5.0
log = logging.getLogger(__name__)


class Challengers:
    """Who is asked besides the champions."""

    def __init__(self) -> None:
        self.champions: Mapping[str, Champion] = {}
        """By task; replaced as a whole, never changed."""

    def replace(self, task: str, champion: Champion) -> None:
        """Ask `champion` from now on."""
        self.champions = {**self.champions, task: champion}

    def remove(self, task: str) -> None:
        """Ask nobody about `task` any more."""
        self.champions = {name: one for name, one in self.champions.items() if name != task}
        log.info("%s has no challenger any more", task)


@dataclass(frozen=True)
class _Asked:
    task: str
    content: bytes
    image: str
    request: str
    version: int
    answer: Prediction


class Shadow:
    """Asks challengers about what champions have answered.

    Args:
        source: of challengers; asked as a `Follower` asks.
        share: of the images, 0 to 1.
        metrics: where agreements are counted.
        seconds: from one poll to the next.
        engine: for challengers; with one thread.
    """

    def __init__(
        self,
        source: Source,
        share: float,
        metrics: Metrics,
        seconds: float = 30.0,
        *,
        engine: Engine = "auto",
    ) -> None:
        self.share, self.metrics = share, metrics
        self.log: PredictionLog | None = None
        """Where answers are kept, if anywhere."""
        self.challengers = Challengers()
        self.follower = Follower(
            source,
            self.challengers,
            _uncounted,
            seconds,
            alias=CHALLENGER,
            engine=engine,
            threads=1,
            lost=self.challengers.remove,
            nice=True,
        )
        self._queue: Queue[_Asked] = Queue(WAITING)
        self._bytes = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Look for challengers, and ask those that there are."""
        self.follower.start()
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits is left out."""
        self._stop.set()
        self.follower.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def offer(
        self,
        task: str,
        champion: Champion,
        content: bytes,
        answer: Prediction,
        image: str,
        request: str = "",
    ) -> bool:
        """Tell what `champion` answered about an image; returns at once and never raises.

        Args:
            content: the file.
            answer: with the probability of every label, in the order of the labels.
            image: id of the image; decides whether it belongs to the share.
            request: id of the request.

        Returns:
            Whether a challenger will be asked.
        """
        challenger = self.challengers.champions.get(task)
        if challenger is None or challenger.digest == champion.digest:
            return False
        if self._stop.is_set() or not belongs(image, self.share):
            return False
        # The caller may have asked with a threshold of its own.
        own = champion.predictor.answer(np.array(list(answer.probabilities.values())))
        return self._put(_Asked(task, content, image, request, champion.version, own))

    def wait(self) -> None:
        """Until nothing waits any more."""
        self._queue.join()

    def _put(self, asked: _Asked) -> bool:
        with self._lock:
            room = self._bytes + len(asked.content) <= WAITING_BYTES
            if room:
                try:
                    self._queue.put_nowait(asked)
                    self._bytes += len(asked.content)
                except Full:
                    room = False
        if not room:
            self.metrics.dropped("shadow", "queue")
        return room

    def _run(self) -> None:
        be_nice()
        while not self._stop.is_set():
            try:
                asked = self._queue.get(timeout=0.2)
            except Empty:
                continue
            try:
                self._compare(asked)
            except Exception:  # whatever a challenger breaks on, the next image is another one
                self.metrics.dropped("shadow", "unusable")
                log.exception("the challenger of %s cannot answer %s", asked.task, asked.image)
            finally:
                with self._lock:
                    self._bytes -= len(asked.content)
                del asked
                self._queue.task_done()

    def _compare(self, asked: _Asked) -> None:
        challenger = self.challengers.champions.get(asked.task)
        if challenger is None:
            return
        record = ask(challenger, asked.task, asked.content, asked.image, asked.request)
        agree = record.label == asked.answer.label
        self.metrics.shadowed(asked.task, agree)
        if self.log is not None:
            self.log.put(record)
        if not agree:
            log.info(
                "%s: of image %s the champion %s/%d says %s (%.4f), the challenger %s/%d %s (%.4f)",
                *(asked.request or "-", asked.image, asked.task, asked.version),
                *(asked.answer.label, asked.answer.probability),
                *(asked.task, record.version, record.label, record.probability),
            )


def belongs(image: str, share: float) -> bool:
    """Whether an image belongs to the share; the same answer for the same id everywhere."""
    return int.from_bytes(hashlib.sha256(image.encode()).digest()[:8]) < share * 2**64


def ask(challenger: Champion, task: str, content: bytes, image: str, request: str) -> Record:
    """What a challenger says of an image.

    Raises:
        DataError: it cannot use the image, as its limits may be narrower.
    """
    predictor, spec = challenger.predictor, challenger.predictor.spec
    if len(content) > spec.max_bytes:
        raise DataError(f"{len(content):,} bytes are over {spec.max_bytes:,}")
    decoded = images.decode(content, spec.max_pixels, scaled_to(spec.input))
    outputs = predictor.outputs(predictor.prepare(decoded.image)[None])
    answer = predictor.answer(to_probabilities(outputs.logits, spec.temperature)[0])
    return Record(
        **vars(facts(content, decoded)),
        id=image,
        request_id=request,
        task=task,
        version=challenger.version,
        digest=challenger.digest,
        label=answer.label,
        probability=answer.probability,
        sure=answer.sure,
        probabilities=answer.probabilities,
        embedding=None if outputs.embedding is None else outputs.embedding[0],
        shadow=True,
    )


def _uncounted(task: str, ok: bool) -> None:
    """Swaps are counted of champions only; of challengers the log tells."""
