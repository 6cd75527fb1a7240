"""Several processes that train together, started by `torchrun`."""

import signal
import subprocess
import sys
from types import FrameType

from roadworthy.errors import TrainingError


def launch(count: int, verb: list[str]) -> None:
    """Run `roadworthy VERB` in `count` processes of this machine, and wait for them.

    For more machines, start `torchrun --nnodes ... -m roadworthy VERB` on each (docs/how-to/cluster.md).

    Raises:
        TrainingError: one of them failed; its own message stands above.
        SystemExit: SIGTERM came, and was passed on.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count), "-m", "roadworthy", *verb]
    child = subprocess.Popen(command)
    received: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        received.append(number)
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise SystemExit(128 + received[0])
    if status:
        raise TrainingError(f"training in {count} processes failed (exit status {status})")
