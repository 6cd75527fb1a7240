"""Images and containers for tests: with Podman, in a store of their own, on a base made here."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ("buildah", "podman", "runc", "debootstrap")
BASE = "localhost/roadworthy-base"
# Few machines have the memory that the usual limit of open files would take.
RUNTIME = """
[containers]
default_ulimits=["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""
STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/images"\nrunroot = "{0}/running"\n'
LOCKED_IN = (
    *("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp"),
    *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--network", "host"),
)
"""As in docs/how-to/deploy.md; on the host's network, which takes no firewall rules."""


def skip_without_builder() -> None:
    """Say why the test is not run."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"no image can be built: {', '.join(missing) or 'root'} is missing")


@dataclass(frozen=True)
class Containers:
    """A store of images and containers below `folder`."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What leads Podman and Buildah to this store."""
        return {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on this store."""
        own = {**os.environ, **self.environment}
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
        assert not check or not done.returncode, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def inspect(self, name: str) -> dict[str, Any]:
        """What Podman knows of a container or an image."""
        found: dict[str, Any] = json.loads(self.run("podman", "inspect", name).stdout)[0]
        return found


@contextmanager
def store(folder: Path) -> Iterator[Containers]:
    """An empty store; what runs in it is stopped in the end."""
    (folder / "containers.conf").write_text(RUNTIME)
    (folder / "storage.conf").write_text(STORAGE.format(folder))
    containers = Containers(folder)
    try:
        yield containers
    finally:
        containers.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
        # Mounted layers cannot be deleted from outside.
        containers.run("podman", "rmi", "--all", "--force", check=False)
        # A gigabyte that pytest would keep.
        shutil.rmtree(folder, ignore_errors=True)
