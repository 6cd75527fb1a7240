"""What Prometheus and Grafana ask for is what the service says."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadworthy.serving.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "service.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
OURS = re.compile(r"roadworthy_\w+")
SELECTED = re.compile(r"(roadworthy_\w+)\{([^}]*)\}")
# What Prometheus itself adds.
ADDED = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@pytest.fixture(scope="module")
def questions(dashboard: dict[str, Any], rules: list[dict[str, Any]]) -> list[str]:
    shown = [ask["expr"] for panel in dashboard["panels"] for ask in panel.get("targets", ())]
    return [*shown, *(rule["expr"] for rule in rules), dashboard["templating"]["list"][0]["query"]]


def said() -> dict[str, set[str]]:
    """Every name in `/metrics` and its labels, whether anything was counted yet or not."""
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    metrics = Metrics()
    collectors = set(metrics.registry._collector_to_names)
    return {
        f"{one._name}{suffix}": set(one._labelnames)  # type: ignore[attr-defined]
        for one in collectors
        for suffix in suffixes[one._type]  # type: ignore[attr-defined]
    }


def test_every_name_is_said_by_the_service(questions: list[str]) -> None:
    """A metric that was renamed leaves an empty panel and an alert that never fires."""
    asked = {name for question in questions for name in OURS.findall(question)}
    assert asked and asked <= set(said())


def test_every_label_is_said_by_the_service(questions: list[str]) -> None:
    """The same for labels, in selectors and in groups."""
    known = said()
    for question in questions:
        for name, selectors in SELECTED.findall(question):
            assert set(re.findall(r"(\w+)\s*[=!]", selectors)) <= known[name] | ADDED, question
        of_these = set().union(*(known[name] for name in OURS.findall(question)))
        for group in re.findall(r"\bby \(([^)]*)\)", question):
            assert set(re.split(r",\s*", group)) <= of_these | ADDED, question


def test_every_figure_is_shown(questions: list[str], dashboard: dict[str, Any]) -> None:
    """Whoever adds a metric is asked where people see it."""
    text = json.dumps(dashboard)
    missing = {
        name
        for name in said()
        if not name.endswith(("_sum", "_count")) and name.removesuffix("_bucket") not in text
    }
    assert not missing


def test_every_alert_says_how_bad_it_is(rules: list[dict[str, Any]]) -> None:
    """Somebody is woken, or somebody looks in the morning."""
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_panels_have_a_place_of_their_own(dashboard: dict[str, Any]) -> None:
    """On a grid of 24 columns none lies over another, and each asks the provisioned source."""
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )["datasources"][0]
    places = []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        places.append((place["y"], place["x"], place["x"] + place["w"]))
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]
    for (row, _, end), (next_row, start, _) in pairwise(sorted(places)):
        assert next_row > row or start >= end
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_dashboard_is_where_grafana_looks() -> None:
    """Compose mounts the folder that the provider names."""
    [provider] = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "dashboards" / "files.yaml").read_text()
    )["providers"]
    mounts = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
