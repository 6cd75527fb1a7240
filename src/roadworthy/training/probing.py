"""Short trials before a training: how many images at a time, and which learning rate."""

import gc
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import psutil
import torch

from roadworthy.errors import TrainingError
from roadworthy.training.machine import available_memory, is_out_of_memory

# A batch norm needs two.
SMALLEST = 2
# A larger batch must be faster by this factor to be worth its memory.
WORTH = 1.05
# Of the memory that is free, what a batch may take on a CPU: others need some, too.
MEMORY_SHARE = 0.5
# Seconds after which one number of images has been measured well enough.
ENOUGH = 0.5

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 60
# A loss that is this many times the best one so far has exploded.
EXPLODED = 4.0
# Losses that are averaged, half of them before and half after.
WINDOW = 7


def batch_size(step: Callable[[int], None], *, largest: int, device: str) -> tuple[int, str]:
    """How many images at a time are fastest, and a line that says so with its figures.

    Doubles the number until memory is full, or until two doublings in a row are not 5 % faster, and
    takes the smallest number within 5 % of the fastest.

    Args:
        step: runs one pass forwards and backwards on so many images, without an optimizer's step.
        largest: more images are not tried; at least 2.
        device: `cpu` or `cuda`. On a CPU, where the system kills instead of refusing, the next
            number is tried only while twice the memory of the last one is in half of what is free.

    Raises:
        TrainingError: not even two images fit.
    """
    speeds: dict[int, float] = {}
    stopped = ""
    memory = _Memory(device)
    count = SMALLEST
    while count <= max(largest, SMALLEST):
        speed = _speed(step, count, device)
        if speed is None:
            stopped = f", {count}: out of memory"
            break
        speeds[count] = speed
        count *= 2
        if _levelled(list(speeds.values())):
            break
        if memory.would_be_short():
            stopped = f", {count}: more than half of the memory"
            break
    if not speeds:
        raise TrainingError(
            f"not even {SMALLEST} images fit into memory: choose a smaller input or backbone"
        )
    chosen = min(n for n in speeds if speeds[n] * WORTH >= max(speeds.values()))
    table = ", ".join(f"{n}: {speed:.0f}/s" for n, speed in speeds.items())
    return chosen, f"batch size {chosen} ({table}{stopped})"


def _levelled(speeds: list[float]) -> bool:
    """Whether neither of the last two doublings was worth its memory; a single one may be noise."""
    return len(speeds) > 2 and max(speeds[-2:]) < WORTH * max(speeds[:-2])


def _speed(step: Callable[[int], None], count: int, device: str) -> float | None:
    """Images per second, None where they do not fit."""
    try:
        _timed(step, count, device)
        seconds: list[float] = []
        while not seconds or (sum(seconds) < ENOUGH and len(seconds) < 10):
            seconds.append(_timed(step, count, device))
        return count / statistics.median(seconds)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Only now: while the error is at hand, its traceback holds the tensors.
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    return None


def _timed(step: Callable[[int], None], count: int, device: str) -> float:
    start = time.perf_counter()
    step(count)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


class _Memory:
    """Foresees, on a CPU, that twice the images would take too much."""

    def __init__(self, device: str) -> None:
        self.watched = device == "cpu"
        self.free = available_memory() if self.watched else 0
        self.before = psutil.Process().memory_info().rss if self.watched else 0

    def would_be_short(self) -> bool:
        """Whether twice of what the last step took is more than half of what was free."""
        if not self.watched:
            return False
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most *= 1 if sys.platform == "darwin" else 1024
        return 2 * (most - self.before) > MEMORY_SHARE * self.free


def learning_rate(step: Callable[[float], float]) -> tuple[float, str]:
    """A learning rate by a range test (Smith 2015, arXiv:1506.01186), and a line that says so.

    Trains 60 steps while the rate grows from 1e-6 to 1, each time by the same factor, until the loss
    is four times the best one or no number, and takes the rate at which the loss fell most steeply,
    as fastai and Lightning do. They average over past losses, which shifts the answer to higher
    rates; here the average is over those before and after.

    Args:
        step: trains one step at a rate, on a copy of the weights, and gives the loss before it.

    Raises:
        TrainingError: the loss falls at no rate by more than it goes up and down by itself.
    """
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    losses = np.array(_losses(step, rates))
    smooth = _smooth(losses)
    if not _falls(losses, smooth):
        raise TrainingError(_nothing_falls(rates, losses))
    lowest = int(smooth.argmin())
    # What comes after the lowest loss is the explosion.
    steepest = int(np.gradient(smooth[: lowest + 1]).argmin())
    rate = float(f"{rates[steepest]:.2g}")
    return rate, (
        f"learning rate {rate:g} (loss {smooth[0]:.3g} at {LOWEST:g}, lowest {smooth[lowest]:.3g} "
        f"at {rates[lowest]:.2g}, tried up to {rates[len(losses) - 1]:.2g})"
    )


def _losses(step: Callable[[float], float], rates: np.ndarray) -> list[float]:
    """Losses at growing rates, up to the one before the explosion."""
    losses: list[float] = []
    average = best = math.inf
    for rate in rates:
        loss = step(float(rate))
        # A single hard batch is no explosion.
        average = 0.7 * average + 0.3 * loss if losses else loss
        if not math.isfinite(average) or average > EXPLODED * best:
            break
        best = min(best, average)
        losses.append(loss)
    return losses


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Means of each loss with those around it, fewer at the two ends."""
    half = WINDOW // 2
    return np.array([losses[max(0, i - half) : i + half + 1].mean() for i in range(len(losses))])


def _falls(losses: np.ndarray, smooth: np.ndarray) -> bool:
    """Whether the loss fell by more than it goes up and down from step to step."""
    if len(losses) == 0 or smooth.argmin() == 0:
        return False
    before = max(int(smooth.argmin()), 2 * WINDOW)
    noise = (losses - smooth)[:before].std()
    return bool(smooth[0] - smooth.min() > 2.5 * noise)


def _nothing_falls(rates: np.ndarray, losses: np.ndarray) -> str:
    if len(losses) == 0:
        return "the first loss is no number: look at the images and their normalisation"
    return (
        f"the range test found no learning rate at which the loss falls: it began at "
        f"{losses[0]:.3g} and was {losses.min():.3g} at best, at rates from {LOWEST:g} to "
        f"{rates[len(losses) - 1]:.2g}; set train.lr to a number"
    )
