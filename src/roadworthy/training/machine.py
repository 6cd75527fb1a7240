"""What this machine trains with: precision and threads."""

import os
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["bf16-mixed", "32-true"]


def precision(setting: str) -> Precision:
    """`auto` is bf16 where the processor multiplies it natively, else fp32."""
    if setting == "auto":
        setting = "bf16" if has_bf16() else "fp32"
    return "bf16-mixed" if setting == "bf16" else "32-true"


def has_bf16() -> bool:
    """Whether the GPU, or without one the CPU, has bf16 arithmetic."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def set_threads(setting: int) -> int:
    """Use `setting` CPU threads, all cores where it is 0; returns how many."""
    count = setting or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count
