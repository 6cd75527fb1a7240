"""Which process writes a run, so that one whose process died does not say RUNNING for ever."""

import logging
import os
import socket
import uuid
from pathlib import Path

import psutil
from mlflow import MlflowClient

log = logging.getLogger(__name__)

PROCESS = "roadworthy.process"
# Clocks are set; a process that seems to have begun this much earlier or later is the same one.
TOLERANCE_SECONDS = 5
NAMESPACE = Path("/proc/self/ns/pid")


def me() -> str:
    """This process, as `MACHINE/NAMESPACE/PID/START`; numbers of processes are used again."""
    return f"{_here()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def gone(process: str) -> bool:
    """Whether that process has ended; False where it cannot be known, on another machine."""
    here, _, rest = process.partition(_here() + "/")
    if here or not rest:
        return False
    number, _, begun = rest.partition("/")
    try:
        found = psutil.Process(int(number))
        return (
            found.status() == psutil.STATUS_ZOMBIE
            or abs(found.create_time() - float(begun)) > TOLERANCE_SECONDS
        )
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


def end_dead_runs(client: MlflowClient, experiment: str, keep: str | None) -> None:
    """Mark as KILLED what says RUNNING though its process on this machine is gone.

    Args:
        keep: a run that is about to be resumed.
    """
    condition = f"attributes.status = 'RUNNING' AND tags.`{PROCESS}` LIKE '{_here()}/%'"
    for run in client.search_runs([experiment], condition):
        if run.info.run_id != keep and gone(run.data.tags[PROCESS]):
            client.set_terminated(run.info.run_id, "KILLED")
            log.warning("%s was cut off: marked KILLED", run.info.run_name)


def _here() -> str:
    """Machine and namespace of process numbers: containers may share a host's name."""
    name = "".join(c for c in socket.gethostname() if c.isalnum() or c in "-.")
    space = str(NAMESPACE.readlink()) if NAMESPACE.is_symlink() else ""
    return f"{name}-{uuid.getnode():012x}/{''.join(filter(str.isdigit, space))}"
