"""What this machine trains with: device, precision and threads, measured where a setting says `auto`."""

import math
import os
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import psutil
import torch
from torch import nn

from roadworthy.params import Train

Precision = Literal["bf16-mixed", "32-true"]
Way = TypeVar("Way", bound=Hashable)

# Seconds that each probe may take, rounds that it needs, by how much more threads must be faster.
THREADS_SECONDS = 1.0
PRECISION_SECONDS = 0.2
ROUNDS = 3
WORTH = 1.03
# Of the free memory of a GPU, what the images may take: the rest is for the network.
CACHE_SHARE = 0.6


@dataclass(frozen=True)
class Machine:
    """What a training runs on; a resumed one takes the same."""

    device: Literal["cuda", "cpu"]
    precision: Precision
    threads: int
    why: str
    """One line: what was taken, and the figures behind it."""

    def take(self) -> None:
        """Use this number of threads from now on."""
        torch.set_num_threads(self.threads)


def survey(settings: Train) -> Machine:
    """Decide what to train with, in about a second, and use that number of threads from now on.

    Measured beside whatever else runs on the machine at this moment, so keep the answer: a training
    that is resumed with other threads or another precision computes other bits.
    """
    count, why_threads = _threads(settings.threads, settings.deterministic, settings.precision)
    kind, why_precision = _precision(settings.precision, settings.deterministic)
    name = "bf16" if kind == "bf16-mixed" else "fp32"
    why = f"threads {count} ({why_threads}), {name} ({why_precision})"
    if device() == "cuda":
        why = f"{torch.cuda.get_device_name()}, {why}"
    return Machine(device(), kind, count, why)


def device() -> Literal["cuda", "cpu"]:
    """Where training computes."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(setting: str, deterministic: bool = False) -> Precision:
    """`bf16` and `fp32` as they are; `auto` is bf16 where the processor has it and is faster with it.

    Args:
        deterministic: what the processor has decides alone, without a measurement.
    """
    return _precision(setting, deterministic)[0]


def threads(setting: int | Literal["auto"], deterministic: bool = False) -> int:
    """Use a number of CPU threads from now on, and say which.

    `auto` runs a block like ResNet's with 1, 2, 4 ... threads in turns for about a second, and takes
    the fewest within 3 % of the fastest: beside a busy process two threads can be six times slower
    than one. Where the bits must repeat, or a GPU computes, it is all cores without a measurement.
    """
    return _threads(setting, deterministic, "auto")[0]


def set_threads(setting: int | Literal["auto"]) -> int:
    """Use `setting` CPU threads, or all cores, without a measurement; returns how many."""
    return threads(setting, deterministic=True)


def _precision(setting: str, deterministic: bool) -> tuple[Precision, str]:
    if setting != "auto":
        return ("bf16-mixed" if setting == "bf16" else "32-true"), "as set"
    if not has_bf16():
        return "32-true", "no bf16 arithmetic here"
    if deterministic:
        return "bf16-mixed", "the processor has it"
    try:
        gain = _bf16_gain()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return "bf16-mixed", "the processor has it; no memory to measure"
    if gain > 1:
        return "bf16-mixed", f"{gain:.1f} times fp32"
    return "32-true", f"bf16 would be {gain:.1f} times as fast"


def _bf16_gain() -> float:
    """How many times faster a step is in bf16 than in fp32, with the threads now in use."""
    block, where = Block(device()), device()
    ways = {bf16: lambda bf16=bf16: block.step(bf16) for bf16 in (True, False)}
    seconds = interleaved(ways, PRECISION_SECONDS, where)
    return seconds[False] / seconds[True]


def _threads(
    setting: int | Literal["auto"], deterministic: bool, precision: str
) -> tuple[int, str]:
    count, why = (setting, "as set") if setting != "auto" else (cores(), "all cores")
    if setting == "auto" and cores() > 1 and not deterministic and device() == "cpu":
        count, why = _fastest_threads(precision != "fp32" and has_bf16())
    torch.set_num_threads(count)
    return count, why


def _fastest_threads(bf16: bool) -> tuple[int, str]:
    """The fewest threads within 3 % of the fastest number, and images/s of each."""
    block = Block("cpu")

    def step(count: int) -> None:
        torch.set_num_threads(count)
        block.step(bf16)

    ways = {count: lambda count=count: step(count) for count in candidates(cores())}
    seconds = interleaved(ways, THREADS_SECONDS)
    taken = min(n for n in ways if seconds[n] <= min(seconds.values()) * WORTH)
    return taken, ", ".join(f"{n}: {block.images / s:.0f}/s" for n, s in seconds.items())


def candidates(most: int) -> list[int]:
    """1, 2, 4 ... and `most`."""
    return sorted({2**power for power in range(most.bit_length())} | {most})


class Block:
    """A bottleneck of ResNet's with its backward pass: what the probes run."""

    def __init__(self, where: str) -> None:
        # A GPU that is not filled would measure the time of its launches.
        self.images, side = (64, 56) if where == "cuda" else (16, 28)
        # Whoever has seeded the random numbers shall not find some of them gone.
        with torch.random.fork_rng(devices=[]):
            layers = nn.Sequential(
                nn.Conv2d(256, 64, 1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.Conv2d(64, 64, 3, padding=1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.Conv2d(64, 256, 1, bias=False),
            )
            images = torch.randn(self.images, 256, side, side)
        self.layers = layers.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.input = images.to(where, memory_format=torch.channels_last)

    def step(self, bf16: bool) -> None:
        """One pass forwards and backwards."""
        with torch.autocast(self.input.device.type, torch.bfloat16, enabled=bf16):
            loss = self.layers(self.input).float().square().mean()
        loss.backward()
        self.layers.zero_grad()


def interleaved(
    ways: Mapping[Way, Callable[[], object]], seconds: float, where: str = "cpu"
) -> dict[Way, float]:
    """Median seconds of a call of each way, called in turns so that a disturbance meets all of them.

    Args:
        seconds: for all calls together; each way is called three times at least, after one call
            that does not count.
        where: device whose work a call begins and does not wait for.
    """
    taken: dict[Way, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    rounds = 0
    while rounds <= ROUNDS or time.perf_counter() - began < seconds:
        for way, call in ways.items():
            start = time.perf_counter()
            call()
            if where == "cuda":
                torch.cuda.synchronize()
            taken[way].append(time.perf_counter() - start)
        rounds += 1
    return {way: statistics.median(each[1:]) for way, each in taken.items()}


def has_bf16() -> bool:
    """Whether the GPU, or without one the CPU, has bf16 arithmetic."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: its affinity, its cgroup's quota, its share under `torchrun`.

    Args:
        root: of the file system, below which `proc` and `sys` are.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [allowed or 1]
    for group in _cgroups(root, "cpu"):
        quota = _numbers(group / "cpu.max") or _numbers(group / "cpu.cfs_quota_us")
        period = quota[1:] or _numbers(group / "cpu.cfs_period_us")
        limits += [math.ceil(quota[0] / period[0])] if quota and period else []
    return max(1, min(limits) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process may still take, by the machine and by its cgroup's limit."""
    own = psutil.Process().memory_info().rss
    limits = [psutil.virtual_memory().available]
    for group in _cgroups(root, "memory"):
        most = _numbers(group / "memory.max") or _numbers(group / "memory.limit_in_bytes")
        limits += [max(0, number - own) for number in most]
    return min(limits)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the cgroups (version 1 or 2) that limit this process, the innermost first."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controller in controllers.split(",") or not controllers:
            mount = root / "sys/fs/cgroup" / controllers
            # In a container the path may be that of the host: then the limit is at the mount itself.
            inside = mount / path.strip("/")
            yield from (f for f in (inside, *inside.parents) if f.is_relative_to(mount))


def _numbers(file: Path) -> list[int]:
    """The positive numbers in a file of the kernel's; none where there is no file or no limit."""
    try:
        words = file.read_text(encoding="ascii").split()
    except OSError:
        return []
    return [int(word) for word in words] if all(w.isdigit() for w in words) else []


def fits_on_device(size: int, setting: Literal["auto", "on", "off"]) -> bool:
    """Whether images of `size` bytes are kept on the device; `auto`: on a GPU, in 60 % of what is free."""
    if setting != "auto":
        return setting == "on"
    return torch.cuda.is_available() and size < CACHE_SHARE * torch.cuda.mem_get_info()[0]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less work at a time may help: the GPU's memory or the machine's is full."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    # Torch has no class of its own for the CPU's allocator, nor for the libraries on a GPU.
    signs = ("DefaultCPUAllocator", "CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in said for sign in signs)
