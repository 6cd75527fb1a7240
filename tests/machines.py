"""Two machines for tests: network namespaces joined by a cable, or where that is forbidden this one twice."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import free_port

CABLE = "eth0"
ADDRESSES = ("10.213.77.1", "10.213.77.2")
# Inside of `ip netns exec` mounts are the command's own.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@dataclass(frozen=True)
class Machines:
    """How to start something on each of the two."""

    spaces: tuple[str, ...]
    """Names of the network namespaces; empty: both are this machine."""
    address: str
    """Of the first one."""
    port: int

    def start(
        self, number: int, command: Sequence[str], shown: Path | None = None
    ) -> subprocess.Popen[str]:
        """One `torchrun` for a process on the machine, with `command` after it.

        Args:
            number: 0 or 1.
            shown: a folder in which it can write nothing.
        """
        words = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        words += [f"--node-rank={number}", f"--master-addr={self.address}"]
        words += [f"--master-port={self.port}", *command]
        if self.spaces:
            if shown is not None:
                words = ["sh", "-c", READ_ONLY, str(shown), *words]
            words = ["ip", "netns", "exec", self.spaces[number], *words]
        own = {"GLOO_SOCKET_IFNAME": CABLE if self.spaces else "lo"}
        return subprocess.Popen(
            words,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@contextlib.contextmanager
def two_machines() -> Iterator[Machines]:
    """Two of them; what they are made of is gone when the block ends."""
    spaces = tuple(f"road-{os.getpid()}-{number}" for number in range(2))
    try:
        joined = os.geteuid() == 0 and shutil.which("ip") is not None and _join(spaces)
        if joined:
            yield Machines(spaces, ADDRESSES[0], 29500)
        else:
            yield Machines((), "127.0.0.1", free_port())
    finally:
        for space in spaces:
            _ip("netns", "delete", space)


def _join(spaces: Sequence[str]) -> bool:
    """Two namespaces with a cable between them; False where this machine does not allow it."""
    ends = [f"{space}-c"[-15:] for space in spaces]
    if not all(_ip("netns", "add", space) for space in spaces):
        return False
    if not _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1]):
        return False
    for space, end, address in zip(spaces, ends, ADDRESSES, strict=True):
        inside = ("-n", space)
        if not (
            _ip("link", "set", end, "netns", space)
            and _ip(*inside, "link", "set", end, "name", CABLE)
            and _ip(*inside, "address", "add", f"{address}/24", "dev", CABLE)
            and _ip(*inside, "link", "set", CABLE, "up")
            and _ip(*inside, "link", "set", "lo", "up")
        ):
            return False
    return True


def _ip(*words: str) -> bool:
    if shutil.which("ip") is None:
        return False
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0
