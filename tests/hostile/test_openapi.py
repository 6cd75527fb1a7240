"""Whatever the OpenAPI document allows or forbids, the service does what the document says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.server import Server

HOOKS = Path(__file__).parent / "schemathesis_hooks.py"
GROWTH = 40_000_000
# Random bytes are no pictures: what the document allows may be refused all the same. The others
# are about keys and about things that are made and deleted.
LEFT_OUT = "positive_data_acceptance,ignored_auth,use_after_free"
# By itself it takes 413 and 429 for no refusal.
CONFIGURATION = '[checks]\nnegative_data_rejection.expected-statuses = ["4xx"]\n'
WITH_PICTURES = {"SCHEMATHESIS_HOOKS": str(HOOKS)}
POSITIVE = ("--mode", "positive", "--phases", "fuzzing")


def explore(server: Server, folder: Path, *options: str, **environment: str) -> None:
    """Let schemathesis ask whatever it can think of; what it finds is printed."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", address, "--no-color"]
    command += ["--generation-deterministic", "--continue-on-failure", "--warnings", "off"]
    command += ["--request-timeout", "60", *options]
    paths = os.pathsep.join((str(HOOKS.parents[1]), os.environ.get("PYTHONPATH", "")))
    found = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
    assert "Traceback" not in server.output.read_text(errors="replace")


def test_what_is_forbidden_is_refused(server: Server, tmp_path: Path) -> None:
    """No 5xx; status, type, headers and body as documented, whatever is sent."""
    explore(
        server,
        tmp_path,
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "15",
        "--exclude-checks",
        LEFT_OUT,
    )


def test_what_is_allowed_is_answered(server: Server, tmp_path: Path) -> None:
    """Answers about pictures are as documented too."""
    left_out = f"{LEFT_OUT},negative_data_rejection"
    explore(
        server,
        tmp_path,
        *POSITIVE,
        "--max-examples",
        "15",
        "--exclude-checks",
        left_out,
        **WITH_PICTURES,
    )


@pytest.mark.slow
def test_for_longer(server: Server, tmp_path: Path) -> None:
    """The same with many more requests, and without growing."""
    for examples in ("50", "200"):
        before = server.memory
        explore(
            server,
            tmp_path,
            "--phases",
            "fuzzing",
            "--max-examples",
            examples,
            "--exclude-checks",
            LEFT_OUT,
        )
        explore(
            server,
            tmp_path,
            *POSITIVE,
            "--max-examples",
            examples,
            "--exclude-checks",
            f"{LEFT_OUT},negative_data_rejection",
            **WITH_PICTURES,
        )
    assert server.memory - before < GROWTH
