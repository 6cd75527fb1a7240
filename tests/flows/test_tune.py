"""The flow `tune`: workers that share a search, are seen, and are gone when the flow is."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from roadworthy.pipeline import plan
from small_training import SETTINGS, write_cache

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "flows.tune", "car", "--trials", "4", "--workers", "2"]
SPACE = {"train.lr": {"low": 1e-4, "high": 0.1, "log": True}}
pytestmark = pytest.mark.slow


@pytest.fixture
def own(project: Path) -> Path:
    """A project whose images are prepared."""
    settings = yaml.safe_load(SETTINGS)
    settings["tasks"]["car"]["train"] |= {"epochs": 3}
    settings["tune"] = {"space": SPACE}
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    (project / "data.dvc").write_text(f"outs: [{{md5: {'d' * 32}.dir, path: data}}]")
    plan.run()
    write_cache(project / "made")
    shutil.move(project / "made/cache", project / "artifacts/car/prepare")
    return project


def start(project: Path) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(project.parent / "prefect"),
        "PREFECT_API_URL": "",
        "COLUMNS": "200",
    }
    return subprocess.Popen(
        COMMAND, cwd=project, env=environment, text=True, stderr=subprocess.PIPE, stdout=-1
    )


def test_workers_share_a_search_that_goes_on_after_a_stop(own: Path) -> None:
    """Stopped in the middle nothing of it runs on; then each trial is made once, by two workers."""
    first = start(own)
    while not list(own.glob(".cache/tune/car-*/trial-*/history.csv")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    family = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=200)
    # Prefect's temporary server among them.
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert gone and not alive
    assert first.returncode == 128 + signal.SIGTERM
    second = start(own)
    said = second.communicate(timeout=400)
    assert second.returncode == 0, said
    table = pd.read_csv("artifacts/car/tune/trials.csv")
    assert list(table["state"]) == ["complete"] * 4
    assert {"worker-1", "worker-2"} <= {w.strip("'") for w in said[1].split() if "worker-" in w}
    assert (own / "artifacts/car/tune/search.html").is_file()
