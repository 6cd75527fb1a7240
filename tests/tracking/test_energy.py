"""What a training took follows from what its run measured, pauses left out."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric

from roadworthy.bundle.format import Lineage
from roadworthy.errors import TrackingError
from roadworthy.params.sections import Energy
from roadworthy.tracking import store
from roadworthy.tracking.energy import CPU, integral, spent
from roadworthy.tracking.runs import RunLog

SETTINGS = Energy(watts=200.0, idle_watts=100.0, carbon=0.5, price=3.0)
START = 1_700_000_000


def measured(seconds: list[float], **values: list[float]) -> str:
    """A run with such samples of the machine."""
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="x"), sample_every=0) as run:
        metrics = [
            Metric(name.replace("__", "/"), value, int(1000 * (START + second)), step)
            for name, series in values.items()
            for step, (second, value) in enumerate(zip(seconds, series, strict=True))
        ]
        store.client().log_batch(run.run_id, metrics)
    return run.run_id


def test_an_hour_is_an_hour(project: Path) -> None:
    """Protects the sums: half busy is half way from idle to full."""
    seconds = [10.0 * n for n in range(361)]
    run = measured(seconds, system__cpu_utilization_percentage=[50.0] * 361)
    found = spent(run, SETTINGS)
    assert found is not None
    assert found.hours == pytest.approx(1.0)
    assert found.kilowatt_hours == pytest.approx(0.15)
    assert found.kilograms == pytest.approx(0.075)
    assert found.price == pytest.approx(3.0)
    assert found.machine == "processors 50% busy"


def test_gpus_report_their_own_and_are_added(project: Path) -> None:
    """Power, not utilisation or the share of the limit, whose names are alike."""
    seconds = [30.0 * n for n in range(121)]
    run = measured(
        seconds,
        system__cpu_utilization_percentage=[0.0] * 121,
        system__gpu_0_power_usage_watts=[300.0] * 121,
        system__gpu_1_power_usage_watts=[100.0] * 121,
        system__gpu_0_power_usage_percentage=[90.0] * 121,
        system__gpu_0_utilization_percentage=[90.0] * 121,
    )
    found = spent(run, SETTINGS)
    assert found is not None
    assert found.kilowatt_hours == pytest.approx(0.1 + 0.4)
    assert found.machine == "processors 0% busy, 2 GPUs at 400 W together"


def test_a_night_between_two_halves_costs_nothing(project: Path) -> None:
    """Protects the card of a training that was killed and taken up again."""
    first = [5.0 * n for n in range(13)]
    seconds = [*first, *(40_000 + second for second in first)]
    found = spent(measured(seconds, system__cpu_utilization_percentage=[100.0] * 26), SETTINGS)
    assert found is not None
    assert found.hours == pytest.approx(120 / 3600)
    assert found.kilowatt_hours == pytest.approx(200 * 120 / 3.6e6)


@pytest.mark.parametrize("seconds", [[], [5.0], [5.0, 500.0]])
def test_too_little_is_nothing(project: Path, seconds: list[float]) -> None:
    """A figure from one sample would be made up."""
    busy = [10.0] * len(seconds)
    assert spent(measured(seconds, system__cpu_utilization_percentage=busy), SETTINGS) is None


def test_what_mlflow_measures_is_found(project: Path) -> None:
    """Protects against another name of the metric in another version."""
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="x"), sample_every=0.1) as run:
        time.sleep(1.0)
    assert len(store.client().get_metric_history(run.run_id, CPU)) >= 2
    found = spent(run.run_id, SETTINGS)
    assert found is not None
    assert 0 < found.hours < 1 / 60


def test_a_run_that_is_not_there_is_an_error(project: Path) -> None:
    """Not a training that took nothing."""
    with pytest.raises(TrackingError, match="cannot be read"):
        spent("0" * 32, SETTINGS)


@given(st.lists(st.floats(0.1, 59), min_size=1, max_size=30), st.floats(0, 500))
def test_constant_power_is_power_times_time(gaps: list[float], watts: float) -> None:
    """However unevenly it was sampled."""
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    assert integral(times, np.full(len(times), watts)) == pytest.approx(watts * times[-1])
