"""What a training took: hours, energy, carbon and money, from what its run measured of the machine."""

import re

import numpy as np
from mlflow import MlflowClient

from roadworthy.evaluation.findings import Spent
from roadworthy.params.sections import Energy
from roadworthy.tracking import store

CPU = "system/cpu_utilization_percentage"
GPU = re.compile(r"system/gpu_\d+_power_usage_watts")
# Samples come every few seconds; a longer silence is a training that was paused or cut off.
LONGEST_GAP_SECONDS = 60.0


def spent(run_id: str, settings: Energy) -> Spent | None:
    """Integrate the system metrics of a run; None where fewer than two samples hang together.

    The machine is taken to use power in proportion to its processors' work, from `idle_watts` to
    `watts`; GPUs report their own.

    Raises:
        TrackingError: the store cannot be reached, or has no such run.
    """
    client = store.client()
    with store.asking(f"the run {run_id} cannot be read"):
        names = client.get_run(run_id).data.metrics
        times, busy = _samples(client, run_id, CPU)
        gpus = [_samples(client, run_id, name) for name in names if GPU.fullmatch(name)]
    hours = integral(times, np.ones_like(times)) / 3600
    if not hours:
        return None
    share = busy / 100
    watts = settings.idle_watts + share * (settings.watts - settings.idle_watts)
    joules = integral(times, watts)
    of_gpus = sum(integral(*gpu) for gpu in gpus)
    kilowatt_hours = (joules + of_gpus) / 3.6e6
    words = f"processors {integral(times, share) / hours / 3600:.0%} busy"
    if gpus:
        number = f"{len(gpus)} GPU{'s' if len(gpus) > 1 else ''}"
        words += f", {number} at {of_gpus / hours / 3600:.0f} W together"
    return Spent(
        hours=hours,
        kilowatt_hours=kilowatt_hours,
        kilograms=kilowatt_hours * settings.carbon,
        price=hours * settings.price,
        machine=words,
    )


def integral(times: np.ndarray, values: np.ndarray) -> float:
    """Of `values` over `times` in seconds, by the trapezoid rule; silences are left out.

    Args:
        times: float (N,), ascending.
        values: float (N,).
    """
    ends = np.flatnonzero(np.diff(times) > LONGEST_GAP_SECONDS) + 1
    parts = zip(np.split(times, ends), np.split(values, ends), strict=True)
    return float(sum(np.trapezoid(value, time) for time, value in parts))


def _samples(client: MlflowClient, run_id: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and values of a metric, by time."""
    found = client.get_metric_history(run_id, name)
    pairs = sorted((one.timestamp / 1000, one.value) for one in found)
    times, values = np.array(pairs, np.float64).reshape(-1, 2).T
    return times, values
