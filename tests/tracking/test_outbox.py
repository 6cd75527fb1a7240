"""What waits is sent in the end, once, and never at the price of the training."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from roadworthy.tracking.outbox import Outbox


class Moody:
    """A store that takes a batch or not, and may lose its answer after it took one."""

    def __init__(self, moods: list[str], seconds: float = 0.0) -> None:
        self.moods, self.seconds, self.asked = moods, seconds, 0
        self.metrics: set[tuple[str, int, int, float]] = set()
        self.tags: dict[str, str] = {}

    def log_batch(self, _: str, metrics: Any = (), tags: Any = ()) -> None:
        self.asked += 1
        time.sleep(self.seconds)
        mood = self.moods.pop(0) if self.moods else "takes"
        if mood != "refuses":
            # As MLflow's own table: the same name, step, time and value is one row.
            self.metrics |= {(m.key, m.step, m.timestamp, m.value) for m in metrics}
            self.tags |= {tag.key: tag.value for tag in tags}
        if mood != "takes":
            raise MlflowException("gone")


@given(
    st.lists(st.sampled_from(["takes", "refuses", "loses the answer"]), max_size=12),
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
)
def test_all_arrives_in_the_end_and_once(moods: list[str], steps: list[int]) -> None:
    """Protects the figures from any order of a server's comings and goings."""
    client = Moody(moods)
    outbox = Outbox(client, "run")  # type: ignore[arg-type]
    for step in steps:
        outbox.add_metrics({"loss": step / 2, "nan": float("nan")}, step, once=True)
        outbox.add_tags({"step": str(step)})
        try:
            outbox.send()
            assert not outbox.away and not outbox.waiting
        except MlflowException:
            assert outbox.away
    client.moods.clear()
    outbox.send()
    losses = [(key, step, value) for key, step, _, value in client.metrics if key == "loss"]
    assert sorted(losses) == [("loss", step, step / 2) for step in sorted(set(steps))]
    assert client.tags == {"step": str(steps[-1])}


def test_a_changed_figure_is_sent_again() -> None:
    """Protects a training that went back to a checkpoint and did an epoch once more."""
    client = Moody([])
    outbox = Outbox(client, "run")  # type: ignore[arg-type]
    for value in (0.5, 0.5, 0.4):
        outbox.add_metrics({"loss": value}, 3, once=True)
        outbox.send()
    assert sorted(row[3] for row in client.metrics) == [0.4, 0.5]


def test_a_slow_refusal_is_not_asked_again_at_once() -> None:
    """Protects epochs of a few milliseconds from a server that needs seconds to say nothing."""
    client = Moody(["refuses"] * 100, seconds=0.2)
    outbox = Outbox(client, "run")  # type: ignore[arg-type]
    outbox.add_metrics({"loss": 0.5}, 0, once=True)
    with pytest.raises(MlflowException):
        outbox.send_in_passing()
    for step in range(1, 20):
        outbox.add_metrics({"loss": 0.5}, step, once=True)
        outbox.send_in_passing()
    assert client.asked == 1
    client.moods.clear()
    outbox.send()
    assert len(client.metrics) == 20


def test_what_an_earlier_process_sent_is_recalled() -> None:
    """Protects a resumed run from a second copy of its first epochs."""

    class Written(Moody):
        def get_run(self, _: str) -> Any:
            class Found:
                class data:  # noqa: N801
                    metrics = {"loss": 0.4, "system/cpu": 3.0}

            return Found

        def get_metric_history(self, _: str, key: str) -> list[Metric]:
            assert key == "loss"
            return [Metric("loss", 0.5, 1, 0), Metric("loss", 0.4, 2, 1)]

    client = Written([])
    outbox = Outbox(client, "run")  # type: ignore[arg-type]
    outbox.recall()
    for step, value in enumerate((0.5, 0.4, 0.3)):
        outbox.add_metrics({"loss": value}, step, once=True)
    outbox.send()
    assert [(row[1], row[3]) for row in client.metrics] == [(2, 0.3)]
