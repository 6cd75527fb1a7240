import anyio
import pytest

from roadworthy.serving.lane import Lane
from roadworthy.serving.refusals import Refusal


def test_who_finds_the_queue_full_is_told_at_once() -> None:
    """Slow work never takes all the places that quick work needs."""

    async def scenario() -> None:
        lane, gate, done = Lane(1, 2), anyio.Event(), []

        def work(number: int) -> None:
            anyio.from_thread.run(gate.wait)
            done.append(number)

        async with anyio.create_task_group() as group:
            for number in range(3):
                lane.check()
                group.start_soon(lane.run, work, number)
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(Refusal) as refused:
                lane.check()
            assert (refused.value.status_code, refused.value.error) == (429, "busy")
            gate.set()
        assert sorted(done) == [0, 1, 2]
        lane.check()

    anyio.run(scenario)
