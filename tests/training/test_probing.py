"""Trials before a training: a batch that fits and is fast, a learning rate that trains."""

import contextlib
import math
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.errors import TrainingError
from roadworthy.training import probing
from roadworthy.training.probing import batch_size, learning_rate


@settings(deadline=None)
@given(
    start=st.floats(0.001, 1),
    each=st.floats(0.0001, 0.1),
    power=st.integers(1, 9),
    gpu=st.booleans(),
)
def test_the_smallest_fast_batch_is_taken(start: float, each: float, power: int, gpu: bool) -> None:
    """A batch twice as large for 2 % of speed costs memory and steps."""
    tried: list[int] = []

    def timed(step: Callable[[int], None], count: int, device: str) -> float:
        step(count)
        return start + each * count

    largest = 2**power + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "_timed", timed)
        patch.setattr(probing, "available_memory", lambda: 2**60)
        size, said = batch_size(tried.append, largest=largest, device="cuda" if gpu else "cpu")
    speeds = {n: n / (start + each * n) for n in tried}
    assert size <= largest
    assert speeds[size] >= max(speeds.values()) / 1.05
    assert all(speeds[n] * 1.05 < max(speeds.values()) for n in speeds if n < size)
    # Where it stopped early, the next doubling would not have paid either.
    more = 2 * max(tried)
    assert more > largest or more / (start + each * more) < 1.1 * speeds[size]
    assert said.startswith(f"batch size {size} (2: ")


class Pixels:
    """Something that a failed step holds."""


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_a_full_memory_is_found_and_given_back(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not fit must not stay there while the training begins."""
    held: list[weakref.ref[Pixels]] = []
    # Always faster, so that memory alone can end it.
    monkeypatch.setattr(probing, "_timed", lambda step, n, _: 1.0 + 0 * (step(n) or 0))

    def step(count: int) -> None:
        pixels = Pixels()
        held.append(weakref.ref(pixels))
        if count > 8:
            raise error.with_traceback(None)

    size, said = batch_size(step, largest=1024, device="cpu")
    error.__traceback__ = None  # this test holds the error, a real step does not
    assert size == 8
    assert "16: out of memory" in said
    assert not any(ref() for ref in held)


def test_not_even_one_batch() -> None:
    """The message says what to make smaller; other errors come through as they are."""

    def full(_: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(TrainingError, match="not even 2 images"):
        batch_size(full, largest=64, device="cpu")

    def wrong(_: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        batch_size(wrong, largest=64, device="cpu")


def test_on_a_cpu_half_of_the_memory_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the system does not refuse, it kills."""
    each, free = 2**24, 2**29
    tried: list[int] = []

    def step(count: int) -> None:
        tried.append(count)
        np.ones(count * each, np.uint8)

    # Always faster, so that memory alone can end it.
    monkeypatch.setattr(probing, "_timed", lambda step, n, _: 1.0 + 0 * (step(n) or 0))
    monkeypatch.setattr(probing, "available_memory", lambda: free)
    _, said = batch_size(step, largest=64, device="cpu")
    assert tried and max(tried) * each <= free / 2
    assert "more than half of the memory" in said


class Quadratic:
    """Gradient descent on half the sum of h w², from w = 1; the simplest thing with a best rate."""

    def __init__(self, curvatures: list[float], noise: float = 0.0, seed: int = 0) -> None:
        self.h, self.w = np.array(curvatures), np.ones(len(curvatures))
        self.noise, self.rng = noise, np.random.default_rng(seed)

    def step(self, rate: float) -> float:
        loss = float((self.h * self.w**2).sum() / 2)
        with np.errstate(over="ignore", invalid="ignore"):
            self.w = self.w - rate * self.h * self.w
        return loss * (1 + self.noise * self.rng.normal())

    def after(self, rate: float, steps: int = 60) -> float:
        return [self.step(rate) for _ in range(steps)][-1]


@settings(deadline=None)
@given(
    top=st.floats(5, 10_000),
    others=st.lists(st.floats(0.01, 1), max_size=6),
    noise=st.sampled_from([0, 0.05]),
    seed=st.integers(0, 1000),
)
def test_the_suggestion_trains_and_is_not_timid(
    top: float, others: list[float], noise: float, seed: int
) -> None:
    """Too high explodes, too low wastes days; whatever the problem's scale."""
    curvatures = [top, *(top * other for other in others)]
    rate, said = learning_rate(Quadratic(curvatures, noise, seed).step)
    assert rate < 2 / top, "gradient descent diverges there"
    begin = Quadratic(curvatures).step(0)
    assert Quadratic(curvatures).after(rate) < min(begin, Quadratic(curvatures).after(rate / 10))
    assert said.startswith(f"learning rate {rate:g} (")


def test_it_stops_when_the_loss_explodes() -> None:
    """Past that there is nothing to learn, and numbers overflow."""
    rates: list[float] = []
    problem = Quadratic([1000.0])

    def step(rate: float) -> float:
        rates.append(rate)
        return problem.step(rate)

    learning_rate(step)
    assert len(rates) < 60 and max(rates) < 0.1
    assert np.isfinite(problem.w).all()


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.floats(0, 0.3))
def test_no_rate_at_which_the_loss_falls(seed: int, spread: float) -> None:
    """A guess out of noise would look like a measurement."""
    rng = np.random.default_rng(seed)
    noisy = (1 + spread * rng.uniform(-1, 1, 60)).tolist()
    rising = sorted(noisy)
    with pytest.raises(TrainingError, match=r"set train\.lr"):
        learning_rate(lambda _: rising.pop(0))


def test_noise_is_not_taken_for_learning() -> None:
    """A loss that goes up and down has a steepest place, too."""
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        with contextlib.suppress(TrainingError):
            learning_rate(lambda _, rng=rng: 1 + 0.1 * rng.normal())  # type: ignore[misc]
            found += 1
    assert found < 10


def test_a_loss_that_is_no_number() -> None:
    """The message does not speak of learning rates."""
    with pytest.raises(TrainingError, match="normalisation"):
        learning_rate(lambda _: math.nan)
