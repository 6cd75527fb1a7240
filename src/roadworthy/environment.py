"""The switches of other people's tools, in one place: telemetry off, state kept in the project.

Nothing here has an effect on import. Every entry point (CLI, flows, tests, service) calls `apply`
before it imports the tools. Whatever the environment already says, wins.
"""

import os
from pathlib import Path

# MLflow obeys the literal "true" only, so that is what everybody gets.
SWITCHES = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The job runner behind MLflow's GenAI features starts seven processes of 130 MB each.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The default of 20 s is too short for the first start on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    # Without heartbeats a run whose machine died stays RUNNING for ever.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Under `uv run`, Ray would send the whole folder, images too, to every worker.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # uvicorn believes whatever `X-Forwarded-For` says when it comes over loopback.
    "FORWARDED_ALLOW_IPS": "",
    # litdata asks the package index for newer versions.
    "LITDATA_DISABLE_VERSION_CHECK": "1",
    # Threads that spin while waiting halve the speed of whoever shares the machine.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def state(root: Path) -> dict[str, str]:
    """Where each tool keeps its state for the project at `root`."""
    root = root.resolve()
    return {
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlruns' / 'mlflow.db'}",
        "PREFECT_HOME": str(root / ".prefect"),
        "BENTOML_HOME": str(root / ".bentoml"),
    }


def apply(root: Path = Path()) -> None:
    """Set every switch that the environment does not set already."""
    for name, value in {**SWITCHES, **state(root)}.items():
        os.environ.setdefault(name, value)
