"""What the road is compared with: training as torchvision's reference script does it, and bare steps."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.training_images import CLASSES
from roadworthy.models.build import Network, build
from roadworthy.params import Backbone, Head, Input
from roadworthy.training.machine import Machine, cores

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(backbone: str, spec: Input) -> Network:
    """The same network for every way."""
    return build(Backbone(name=backbone, weights=None), Head(), CLASSES, spec)


def synchronised(device: str) -> float:
    """The clock, when all that was begun on the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def per_image(size: int, crop: str = "resized") -> v2.Compose:
    """Transforms of a PIL image: cut, mirror, float tensor, normalise."""
    resized = [v2.RandomResizedCrop(size, antialias=True)]
    anywhere = [v2.Resize(round(size * 1.125), antialias=True), v2.RandomCrop(size)]
    return v2.Compose(
        [
            *(resized if crop == "resized" else anywhere),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


class Reference:
    """JPEG files in folders, decoded and changed one by one in a worker process per core, fp32.

    Workers stay between epochs, which is kinder than the script: its epochs are long.
    """

    def __init__(
        self, images: Path, backbone: str, spec: Input, batch_size: int, device: str
    ) -> None:
        self.device = device
        self.loader = DataLoader(
            ImageFolder(str(images), per_image(spec.height)),
            batch_size=batch_size,
            shuffle=True,
            num_workers=cores(),
            pin_memory=device == "cuda",
            persistent_workers=True,
        )
        # Now: a process that is started inside a training would inherit its way with signals.
        iter(self.loader)
        self.model: nn.Module = network(backbone, spec).to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=0.01)

    def epoch(self) -> float:
        """Seconds of one epoch, with as many threads as there are cores, as torch has them."""
        threads = torch.get_num_threads()
        torch.set_num_threads(cores())
        self.model.train()
        began = synchronised(self.device)
        for images, targets in self.loader:
            images = images.to(self.device, non_blocking=True)
            targets = targets.to(self.device, non_blocking=True)
            loss = self.criterion(self.model(images), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()  # its logger shows every step's
        seconds = synchronised(self.device) - began
        torch.set_num_threads(threads)
        return seconds


class Bare:
    """Nothing but the model's own step on random numbers that lie on the device, normalised already.

    Forwards, loss, backwards, clipped gradients, fused AdamW: the same arithmetic as the road's step.
    """

    def __init__(
        self,
        machine: Machine,
        backbone: str,
        spec: Input,
        batch_size: int,
        *,
        compiled: bool = False,
    ) -> None:
        self.machine = machine
        model = network(backbone, spec).to(machine.device, memory_format=torch.channels_last)
        if compiled:
            model.compile()
        self.model = model.train()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        size = (batch_size, spec.channels, spec.height, spec.width)
        images = torch.randn(size, generator=torch.Generator().manual_seed(0))
        self.images = images.to(machine.device, memory_format=torch.channels_last)
        self.targets = torch.arange(batch_size, device=machine.device) % CLASSES

    def steps(self, count: int) -> float:
        """Seconds of so many steps."""
        began = synchronised(self.machine.device)
        for _ in range(count):
            self.loss().backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return synchronised(self.machine.device) - began

    def loss(self) -> Tensor:
        """Forwards, in the machine's precision."""
        bf16 = self.machine.precision == "bf16-mixed"
        with torch.autocast(self.machine.device, torch.bfloat16, enabled=bf16):
            return F.cross_entropy(self.model(self.images), self.targets)

    def flops(self) -> int:
        """Floating-point operations of one step's convolutions and products, forwards and backwards."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            self.loss().backward()
        self.optimizer.zero_grad()
        return int(counter.get_total_flops())


def multiplied(device: str, side: int) -> float:
    """TFLOP/s of a bf16 matrix product, the most that a step could reach."""
    left = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(device).bfloat16()
    right = left.t().contiguous()
    for _ in range(2):
        left @ right
    repeats = 20 if device == "cuda" else 3
    began = synchronised(device)
    for _ in range(repeats):
        left @ right
    return 2 * side**3 * repeats / (synchronised(device) - began) / 1e12
