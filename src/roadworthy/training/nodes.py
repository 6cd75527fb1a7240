"""Several machines train one network: each must begin from the same images and checkpoint."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch.distributed
from lightning.pytorch.callbacks import Callback

from roadworthy.errors import TrainingError
from roadworthy.training.checkpoints import LAST
from roadworthy.training.ranks import local_world, rank, world


@dataclass(frozen=True)
class Start:
    """What one process would begin from."""

    training: str
    """Name of the checkpoints' folder, which stands for settings, images and backbone."""
    checkpoint: tuple[int, int] | None
    """Size and time of the checkpoint; None: from the beginning."""
    where: str
    """Machine and number of the process."""


class SameStart(Callback):
    """Compares what the machines have, before any of them reads it.

    A machine with a folder of its own would train from the beginning while the others go on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Ask all processes; on one machine they cannot differ.

        Raises:
            TrainingError: in every process, where one of them has something else.
        """
        if world() == local_world():
            return
        where = f"{socket.gethostname()} (process {rank()})"
        mine = Start(self.folder.name, stamp(self.folder / LAST), where)
        found: list[Start] = [mine] * world()
        torch.distributed.all_gather_object(found, mine)
        compare(found)


def compare(found: list[Start]) -> None:
    """Make sure that all begin from what the first process begins from.

    Raises:
        TrainingError: one of them does not.
    """
    first = found[0]
    for other in found[1:]:
        if other.training != first.training:
            what = f"other settings or images ({other.training}, not {first.training})"
        elif other.checkpoint != first.checkpoint:
            what = f"another {LAST}" if other.checkpoint else f"no {LAST}"
        else:
            continue
        raise TrainingError(
            f"{other.where} has {what}, unlike {first.where}: all machines of a training need the "
            "same project folder, on a shared disk"
        )


def stamp(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time in ns; None where there is no such file."""
    try:
        # A shared disk (NFS) promises the latest state of a file to who opens it, not to `stat`.
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns
