"""What a setting of `auto` becomes, decided once for a training and kept beside its checkpoints."""

import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from roadworthy.errors import TrainingError
from roadworthy.models.freezing import freeze_before
from roadworthy.models.stages import parameter_groups
from roadworthy.params import Train
from roadworthy.training import machine, probing
from roadworthy.training.checkpoints import write
from roadworthy.training.data import Batch, Batches
from roadworthy.training.machine import Machine
from roadworthy.training.module import Classifier, parts
from roadworthy.training.optimising import optimizer
from roadworthy.training.ranks import rank

CHOICES = "choices.json"
# Taken where a number is needed before it has been measured.
BATCH, RATE = 32, 0.001
LARGEST_BATCH = 1024
# Fewer steps in an epoch than this make poor use of the data.
LEAST_STEPS = 8

# Seconds in which the first process has measured.
PATIENCE = 300

Make = Callable[[Train], tuple[Classifier, Batches]]


@dataclass(frozen=True)
class Choices:
    """The settings without `auto`, and the machine."""

    settings: Train
    machine: Machine


def choices(settings: Train, folder: Path, make: Make) -> Choices:
    """What was chosen when this training began; chosen now, and said, if it begins.

    Args:
        folder: of the checkpoints.
        make: builds what would be trained with given settings.

    Raises:
        TrainingError: the first process, which chooses, does not share this folder; or a probe failed.
    """
    path = folder / CHOICES
    if rank() > 0:
        # The first process measures for all.
        _wait_for(path)
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        numbers = {name: kept["settings"][name] for name in ("batch_size", "lr")}
        chosen = Choices(settings.model_copy(update=numbers), Machine(**kept["machine"]))
        chosen.machine.take()
        return chosen
    surveyed = machine.survey(settings)
    print(surveyed.why)
    chosen = Choices(_numbers(settings, surveyed, make), surveyed)
    kept = {"settings": chosen.settings.model_dump(mode="json"), "machine": asdict(surveyed)}
    write(path, lambda temporary: temporary.write_text(json.dumps(kept), encoding="utf-8"))
    return chosen


def _wait_for(path: Path) -> None:
    begun = time.monotonic()
    while not path.is_file():
        if time.monotonic() - begun > PATIENCE:
            raise TrainingError(
                f"{path} did not appear in {PATIENCE} s: all machines of a training need the same "
                "project folder, on a shared disk"
            )
        time.sleep(0.1)


def _numbers(settings: Train, machine: Machine, make: Make) -> Train:
    """The settings with numbers for the batch size and the learning rate."""
    batch_size, lr = settings.batch_size, settings.lr
    if batch_size == "auto":
        module, data = make(settings.model_copy(update={"batch_size": BATCH, "lr": RATE}))
        largest = min(LARGEST_BATCH, data.order.images // LEAST_STEPS)
        step = _pass(deepcopy(module).to(machine.device), machine)
        batch_size, said = probing.batch_size(step, largest=largest, device=machine.device)
        print(said)
    settings = settings.model_copy(update={"batch_size": batch_size})
    if lr == "auto":
        module, data = make(settings.model_copy(update={"lr": RATE}))
        lr, said = probing.learning_rate(
            _trained(deepcopy(module).to(machine.device), data, machine)
        )
        print(said)
    return settings.model_copy(update={"lr": lr})


def _pass(module: Classifier, machine: Machine) -> Callable[[int], None]:
    """A pass forwards and backwards on so many random images."""
    spec = module.plan.input
    network = module.network.train()

    def step(count: int) -> None:
        size = (count, spec.channels, spec.height, spec.width)
        images = torch.randn(size, device=machine.device)
        with _autocast(machine):
            loss = network(images.contiguous(memory_format=torch.channels_last)).float().square()
        loss.mean().backward()
        network.zero_grad()

    return step


def _trained(module: Classifier, data: Batches, machine: Machine) -> Callable[[float], float]:
    """Train one step at a rate on the next batch; gives the loss."""
    s = module.plan.train
    freeze_before(module.network, s.unfreeze[0])
    groups = parameter_groups(module.network, 1.0, s.backbone_lr, s.depth_decay, s.weight_decay)
    made = optimizer(s, groups)
    shares = [group["lr"] for group in made.param_groups]
    batches = _endless(data)
    torch.manual_seed(module.plan.seed)

    def step(rate: float) -> float:
        for group, share in zip(made.param_groups, shares, strict=True):
            group["lr"] = share * rate
        pixels, targets, places, total = next(batches)
        batch = Batch(pixels.to(machine.device), targets.to(machine.device), places, total)
        loss = 0.0
        for part in parts(batch, -(-total // module.micro_batch)):
            with _autocast(machine):
                share = module.losses(part).sum() / total
            share.backward()  # type: ignore[no-untyped-call]
            loss += float(share.detach())
        made.step()
        made.zero_grad()
        return loss

    return step


def _endless(data: Batches) -> Iterator[Batch]:
    while True:
        yield from data.train_dataloader()


def _autocast(machine: Machine) -> torch.autocast:
    bf16 = machine.precision == "bf16-mixed"
    return torch.autocast(machine.device, torch.bfloat16, enabled=bf16)
