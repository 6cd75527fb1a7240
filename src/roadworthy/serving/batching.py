"""Images of all requests are answered together: while one batch is computed, the next one gathers.

Nobody waits for a batch to fill, so that a lone request is as fast as it can be and many requests
make large batches by themselves. Each image is decoded by its own request before it comes here; one
that cannot be used never shares a batch with others.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from roadworthy.bundle.predictor import Outputs, Predictor
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.refusals import Refusal


@dataclass(frozen=True)
class Row:
    """What the network says of one image."""

    logits: np.ndarray
    """float64 (1 or C,)."""
    embedding: np.ndarray | None
    """float32 (D,); None of a bundle that gives none."""


@dataclass(frozen=True)
class _Waiting:
    pixels: np.ndarray
    answer: "asyncio.Future[Row]"
    since: float


class Batcher:
    """To be used from one event loop.

    Args:
        largest: images of one batch.
        lanes: batches that are computed at the same time.
        metrics: where to count.
        most: answers that may be admitted at the same time.
    """

    def __init__(self, largest: int, lanes: int, metrics: Metrics, most: int = 512) -> None:
        self.largest, self.metrics, self.most = largest, metrics, most
        self.admitted = 0
        self._free = lanes
        self._threads = ThreadPoolExecutor(lanes, thread_name_prefix="engine")
        self._waiting: dict[Predictor, deque[_Waiting]] = {}

    @contextmanager
    def admit(self, answers: int) -> Iterator[None]:
        """Take on so many answers, before anything is done for them. Who comes first gets any number.

        Raises:
            Refusal: too many are being worked out.
        """
        if self.admitted and self.admitted + answers > self.most:
            raise Refusal(
                429,
                "busy",
                f"{self.admitted} answers are already being worked out",
                "try again soon, or send fewer images",
                {"retry-after": "2"},
            )
        self.admitted += answers
        try:
            yield
        finally:
            self.admitted -= answers

    async def ask(self, predictor: Predictor, pixels: np.ndarray) -> Row:
        """Ask about one image, given as `predictor.prepare` makes it: uint8 (H, W, C)."""
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(predictor, deque())
        line.append(_Waiting(pixels, answer, perf_counter()))
        self._go_on()
        return await answer

    def close(self) -> None:
        """Wait for the batches at work, and take no more."""
        self._threads.shutdown()

    def _go_on(self) -> None:
        """Start batches while a lane is free, whoever has waited longest first."""
        while self._free and self._waiting:
            predictor = min(self._waiting, key=lambda one: self._waiting[one][0].since)
            line = self._waiting[predictor]
            taken = [line.popleft() for _ in range(min(self.largest, len(line)))]
            if not line:
                del self._waiting[predictor]
            # Who has gone away is not computed for.
            if batch := [one for one in taken if not one.answer.done()]:
                self._start(predictor, batch)

    def _start(self, predictor: Predictor, batch: list[_Waiting]) -> None:
        self._free -= 1
        now = perf_counter()
        for one in batch:
            self.metrics.waited(now - one.since)
        loop = asyncio.get_running_loop()
        task = predictor.spec.task
        working = loop.run_in_executor(self._threads, self._compute, task, predictor, batch)
        working.add_done_callback(lambda done: self._finish(done, batch))

    def _compute(self, task: str, predictor: Predictor, batch: list[_Waiting]) -> Outputs:
        start = perf_counter()
        outputs = predictor.outputs(np.stack([one.pixels for one in batch]))
        self.metrics.computed(task, len(batch), perf_counter() - start)
        return outputs

    def _finish(self, done: "asyncio.Future[Outputs]", batch: list[_Waiting]) -> None:
        self._free += 1
        error = done.exception()
        for row, one in enumerate(batch):
            if one.answer.done():
                continue
            if error is not None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(_row(done.result(), row))
        self._go_on()


def _row(outputs: Outputs, row: int) -> Row:
    embedding = None if outputs.embedding is None else outputs.embedding[row]
    return Row(outputs.logits[row], embedding)
