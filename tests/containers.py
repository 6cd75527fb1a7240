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


FORBIDDEN = ("operation not permitted", "permission denied", "must be superuser")
# What a container of the host's own files is made of; which there are depends on the processor.
LENT = tuple(name for name in ("/usr", "/lib", "/lib64") if Path(name).is_dir())


def skip_without_builder() -> None:
    """Say why the test is not run; where `CI` is `true`, it fails instead."""
    # Debian keeps some programs where only root looks.
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        reason = f"no image can be built: {', '.join(missing) or 'root'} is missing"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


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

    def skip_where_forbidden(self) -> None:
        """Build and run the least there is: a machine may forbid that to root as well."""
        lent = [word for name in LENT for word in ("--volume", f"{name}:{name}:ro")]
        image = "localhost/least"
        for command in (
            ("buildah", "from", "--name", "least", "scratch"),
            ("buildah", "commit", "least", image),
            ("buildah", "rm", "least"),
            ("podman", "run", "--rm", *LOCKED_IN, *lent, image, "/usr/bin/true"),
        ):
            done = self.run(*command, check=False)
            lines = done.stderr.splitlines() if done.returncode else []
            for line in lines:
                if any(word in line.lower() for word in FORBIDDEN):
                    what = " ".join(command[:2])
                    pytest.skip(f"this machine forbids containers: {what}: {line}")
            assert not done.returncode, f"{command}\n{done.stderr}"


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
