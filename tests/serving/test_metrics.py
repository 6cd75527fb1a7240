import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from roadworthy.serving.metrics import REASONS, Metrics

ROOT = Path(__file__).parents[2]
USE = """
import sys
from roadworthy.serving.metrics import Metrics
m = Metrics()
m.request("GET", "/info", 200, 0.1); m.refused("busy"); m.waited(0.1); m.computed("car", 4, 0.1)
m.answered("car", 3, "car", True, 0.9); m.logged("record"); m.dropped("record", "disk", 2)
m.told("car", None); m.shadowed("car", False); m.swapped("car", True)
m.serves("car", 2, "a", "onnx"); m.serves("car", 3, "b", "onnx")
m.drifted("car", 100, {"brightness": 0.5, "red": None})
m.drifted("car", 100, {"brightness": 0.5, "red": 0.25})
m.drifted("car", 100, {"brightness": 0.5, "red": None})
sys.stdout.buffer.write(m.text())
"""


def wrappers(metrics: Metrics) -> list[MetricWrapperBase]:
    return [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]


def exposed(one: MetricWrapperBase) -> str:
    name = one.describe()[0].name
    return f"{name}_total" if one.describe()[0].type == "counter" else name


def figures(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_the_documents_list_every_metric_with_its_labels() -> None:
    """A dashboard is built from that table."""
    page = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
    served = page.partition("## The prediction log")[0]
    rows = re.findall(r"^\| `(roadworthy_\w+)` \| ([^|]*?) ?\|", served, re.M)
    documented = {name: [one for one in labels.split(", ") if one] for name, labels in rows}
    made = {exposed(one): list(one._labelnames) for one in wrappers(Metrics())}
    assert documented == made


def test_every_word_of_a_refusal_is_counted_by_name() -> None:
    """Add a new word to REASONS; those made elsewhere than in a literal count as `other`."""
    calls = (
        node
        for path in (ROOT / "src" / "roadworthy" / "serving").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal"
    )
    used = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    assert used - REASONS == set()


def test_nobody_makes_the_metrics_grow() -> None:
    """Neither with methods nor with paths nor with reasons."""
    metrics = Metrics()

    def series() -> int:
        return sum(len(family.samples) for family in metrics.registry.collect())

    for n in range(3):
        metrics.request(f"M{n}", None, 404, 0.1)
        metrics.refused(f"reason {n}")
    before = series()
    for n in range(500):
        metrics.request(f"M{n}", None, 404, 0.1)
        metrics.refused(f"reason {n}")
    assert series() == before
    assert figures(metrics.text().decode())['roadworthy_refusals_total{reason="other"}'] == 503


def test_only_what_serves_now_is_shown() -> None:
    """After a swap the old version is gone; a drift that is no longer known too."""
    metrics = Metrics()
    metrics.serves("car", 2, "a", "onnx")
    metrics.serves("car", 3, "b", "int8")
    metrics.drifted("car", 100, {"red": 0.25, "blue": 0.5})
    metrics.drifted("car", 12, {"red": None, "blue": None})
    text = metrics.text().decode()
    [model] = [name for name in figures(text) if name.startswith("roadworthy_model_info")]
    assert 'version="3"' in model and 'engine="int8"' in model
    assert "drift_psi{" not in text
    assert figures(text)['roadworthy_drift_images{task="car"}'] == 12


@pytest.mark.parametrize("several", [False, True])
def test_the_figures_of_all_processes_together(several: bool, tmp_path: Path) -> None:
    """`PROMETHEUS_MULTIPROC_DIR` adds the counters up and shows every metric."""
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    if several:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
    command = [sys.executable, "-W", "error", "-c", USE]
    texts = [
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()
        for _ in range(1 + several)
    ]
    found = figures(texts[-1])
    shown = {name.partition("{")[0] for name in found}
    for one in wrappers(Metrics()):
        name = exposed(one)
        assert {name, f"{name}_count"} & shown, name
    assert found['roadworthy_log_dropped_total{kind="record",reason="disk"}'] == 2 * len(texts)
    models = {name: value for name, value in found.items() if "model_info" in name}
    assert sum(models.values()) == 1
    assert found['roadworthy_drift_psi{statistic="brightness",task="car"}'] == 0.5
