"""Real bundles answer; how they are asked is what is tested."""

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.bundle.predictor import Outputs, Predictor
from roadworthy.serving.batching import Batcher, Row
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.refusals import Refusal


class Slow(Predictor):
    """Waits in every batch until it is let go, and remembers how large batches were."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate, self.sizes, self.fails = threading.Event(), list[int](), False

    def outputs(self, pixels: np.ndarray, maps: bool = False) -> Outputs:
        self.gate.wait(10)
        self.sizes.append(len(pixels))
        if self.fails:
            raise RuntimeError("broken")
        return super().outputs(pixels, maps)


@pytest.fixture
def slow(bundles: dict[str, Path]) -> Slow:
    return Slow(bundles["car"])


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)


async def ask_all(batcher: Batcher, who: Predictor, pixels: np.ndarray) -> list[Row]:
    return list(await asyncio.gather(*(batcher.ask(who, one) for one in pixels)))


@given(count=st.integers(1, 20), largest=st.integers(1, 8), lanes=st.integers(1, 3))
def test_everybody_gets_the_answer_to_the_own_image(
    bundles: dict[str, Path], count: int, largest: int, lanes: int
) -> None:
    """Whoever shares a batch with whom: nobody reads another one's answer."""
    predictor, pixels = Predictor(bundles["brand"]), pictures(count)
    batcher = Batcher(largest, lanes, Metrics())
    rows = asyncio.run(ask_all(batcher, predictor, pixels))
    batcher.close()
    alone = np.concatenate([predictor.logits(one[None]) for one in pixels])
    np.testing.assert_allclose([row.logits for row in rows], alone, atol=1e-5)


def test_who_comes_meanwhile_shares_the_next_batch(slow: Slow) -> None:
    """That is where the speed under load comes from, and no batch is larger than allowed."""

    async def scenario() -> None:
        batcher = Batcher(4, 1, Metrics())
        asking = [asyncio.create_task(batcher.ask(slow, one)) for one in pictures(10)]
        await asyncio.sleep(0)
        slow.gate.set()
        await asyncio.gather(*asking)
        batcher.close()

    asyncio.run(scenario())
    assert slow.sizes == [1, 4, 4, 1]


def test_who_has_gone_away_is_not_computed_for(slow: Slow) -> None:
    """A caller that hung up costs nothing more."""

    async def scenario() -> None:
        batcher = Batcher(4, 1, Metrics())
        asking = [asyncio.create_task(batcher.ask(slow, one)) for one in pictures(4)]
        await asyncio.sleep(0)
        asking[2].cancel()
        await asyncio.sleep(0)
        slow.gate.set()
        await asyncio.wait(asking)
        assert [one.cancelled() for one in asking] == [False, False, True, False]
        batcher.close()

    asyncio.run(scenario())
    assert slow.sizes == [1, 2]


def test_a_batch_that_fails_fails_for_its_own_callers_only(slow: Slow) -> None:
    """The service goes on with the next batch."""

    async def scenario() -> None:
        batcher = Batcher(4, 1, Metrics())
        slow.gate.set()
        slow.fails = True
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.ask(slow, pictures(1)[0])
        slow.fails = False
        assert (await batcher.ask(slow, pictures(1)[0])).logits.shape == (1,)
        batcher.close()

    asyncio.run(scenario())


@given(st.lists(st.integers(1, 40), max_size=8), st.integers(1, 60))
def test_no_more_is_taken_on_than_allowed(wanted: list[int], most: int) -> None:
    """Work that is accepted is bounded; a lone request is never refused for its own size."""
    batcher = Batcher(4, 1, Metrics(), most)
    with ExitStack() as stack:
        for count in wanted:
            before = batcher.admitted
            try:
                stack.enter_context(batcher.admit(count))
            except Refusal as refusal:
                assert refusal.status_code == 429 and before and before + count > most
                assert batcher.admitted == before
            else:
                assert not before or before + count <= most
    assert not batcher.admitted
    batcher.close()


def test_who_waits_longest_is_next(slow: Slow, bundles: dict[str, Path]) -> None:
    """A busy task does not starve the others."""

    async def scenario() -> None:
        batcher = Batcher(2, 1, Metrics())
        other, order = Predictor(bundles["brand"]), list[str]()

        async def told(name: str, who: Predictor, one: np.ndarray) -> None:
            await batcher.ask(who, one)
            order.append(name)

        first, *rest = pictures(6)
        asking = [asyncio.create_task(told("car", slow, first))]
        await asyncio.sleep(0)
        asking.append(asyncio.create_task(told("brand", other, first)))
        asking += [asyncio.create_task(told("car", slow, one)) for one in rest]
        await asyncio.sleep(0)
        slow.gate.set()
        await asyncio.gather(*asking)
        assert order[:2] == ["car", "brand"]
        batcher.close()

    asyncio.run(scenario())
