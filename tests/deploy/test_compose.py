import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_the_file_is_what_compose_reads() -> None:
    """By the schema of the Compose specification, which the validator brings along."""
    command = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_everything_is_there_and_healthy_before_it_is_used(
    services: dict[str, dict[str, Any]],
) -> None:
    """Each is checked, restarted, and waited for; the service's check is in its image."""
    names = {"service", "postgres", "mlflow", "prefect", "prometheus", "grafana"}
    assert set(services) == names
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert ("healthcheck" in service) != (name == "service"), name
        for waits in service.get("depends_on", {}).values():
            assert waits == {"condition": "service_healthy"}
    assert "HEALTHCHECK" in (DEPLOY / "Containerfile").read_text()


def test_no_password_is_committed(services: dict[str, dict[str, Any]]) -> None:
    """Each comes from .env, which git ignores, and without it nothing starts."""
    text = COMPOSE.read_text()
    secrets = re.findall(r"\$\{(\w*PASSWORD)", text)
    assert {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"} <= set(secrets)
    for name in set(secrets):
        assert f"${{{name}:?" in text
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if line and line[0] != "#"
    )
    assert set(example) == set(re.findall(r"\$\{(\w+)", text))
    assert not any(value for name, value in example.items() if "PASSWORD" in name)
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "deploy/.env"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0
    assert services


def test_nobody_outside_reaches_it(services: dict[str, dict[str, Any]]) -> None:
    """Ports are opened on loopback; what is to be public goes behind a proxy."""
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_the_service_is_locked_in(services: dict[str, dict[str, Any]]) -> None:
    """As in docs/how-to/deploy.md and as the journey runs it."""
    service = services["service"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_service_has_memory_for_its_decoders_and_time_to_stop(
    services: dict[str, dict[str, Any]],
) -> None:
    """The dearest picture takes 0.6 GB; the slowest request 60 s."""
    service = services["service"]
    assert service["mem_limit"] == "2g"
    assert service["environment"]["ROADWORTHY_DECODERS"] == "2"
    assert service["stop_grace_period"] == "90s"


def test_servers_have_the_versions_of_the_clients() -> None:
    """The MLflow and the Prefect that answer are those that this project was tested with."""
    lock = (ROOT / "requirements.lock").read_text()
    text = COMPOSE.read_text()
    for image, package in (("mlflow==", "mlflow"), ("prefecthq/prefect:", "prefect")):
        [locked] = re.findall(rf"(?m)^{package}==([\d.]+)", lock)
        assert f"{image}{locked}" in text


def test_all_that_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    """Docker makes an empty folder of a file that is missing, without a word."""
    mounts = [mount for service in services.values() for mount in service.get("volumes", ())]
    named = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    for mount in mounts:
        source = mount.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in named
