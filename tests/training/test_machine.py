"""What a training runs on: measured once, said in one line, within what the system allows."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.params import Train
from roadworthy.training import machine
from roadworthy.training.machine import Machine


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """What a test chooses is not for the next one."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def kernel(root: Path, groups: str, limits: dict[str, str]) -> Path:
    """A file system in which the kernel says this of a process's cgroups."""
    for name, text in {"proc/self/cgroup": groups, **limits}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


V1 = "4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "limits", "cores"),
    [
        ("0::/box/inner\n", {"sys/fs/cgroup/box/cpu.max": "300000 100000\n"}, 3),
        ("0::/box\n", {"sys/fs/cgroup/box/cpu.max": "150000 100000\n"}, 2),
        ("0::/box\n", {"sys/fs/cgroup/box/cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            "0::/box/inner\n",
            {
                "sys/fs/cgroup/box/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/box/inner/cpu.max": "800000 100000\n",
            },
            2,
        ),
        (
            V1,
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            V1,
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
    ],
)
def test_a_containers_quota_counts(
    groups: str,
    limits: dict[str, str],
    cores: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """64 threads on a quota of two cores stop each other for most of the time."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert machine.cores(kernel(tmp_path, groups, limits)) == cores


def test_no_kernel_to_ask_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every system is Linux."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert machine.cores(tmp_path) == os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_counts() -> None:
    """`taskset -c 0` means one core."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores() == 1
        assert machine.threads("auto") == 1
    finally:
        os.sched_setaffinity(0, before)


def test_processes_of_torchrun_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them taking all would be slower than one alone; and none goes without."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert machine.cores(Path("/nowhere")) == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert machine.cores(Path("/nowhere")) == 1


def test_a_containers_memory_counts(tmp_path: Path) -> None:
    """The system kills who takes more, without an error that could be caught."""
    whole = machine.available_memory(tmp_path)
    limit = {"sys/fs/cgroup/box/memory.max": f"{whole // 2}\n"}
    assert machine.available_memory(kernel(tmp_path, "0::/box\n", limit)) < whole // 2


@settings(deadline=None)
@given(most=st.integers(1, 300))
def test_candidates_go_up_to_all_cores(most: int) -> None:
    """One thread and all of them are always among what is tried, and nothing beyond."""
    tried = machine.candidates(most)
    assert tried[0] == 1 and tried[-1] == most
    assert all(a < b <= 2 * a for a, b in pairwise(tried))


@settings(max_examples=30, deadline=None)
@given(seconds=st.lists(st.floats(0.01, 10), min_size=4, max_size=4))
def test_the_fewest_threads_that_are_as_fast_are_taken(seconds: list[float]) -> None:
    """Each thread more is one that someone else cannot use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "cores", lambda: 8)
        patch.setattr(machine, "device", lambda: "cpu")
        patch.setattr(machine, "interleaved", lambda ways, _: dict(zip(ways, seconds, strict=True)))
        count = machine.threads("auto")
    measured = dict(zip((1, 2, 4, 8), seconds, strict=True))
    assert torch.get_num_threads() == count
    assert measured[count] <= 1.03 * min(seconds)
    assert all(measured[fewer] > 1.03 * min(seconds) for fewer in measured if fewer < count)


def not_called(*_: Any, **__: Any) -> None:
    raise AssertionError("this must not be measured")


def test_what_is_set_or_must_repeat_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement comes out differently each time, and so would the weights."""
    monkeypatch.setattr(machine, "interleaved", not_called)
    assert machine.threads(1) == torch.get_num_threads() == 1
    assert machine.set_threads("auto") == torch.get_num_threads() == machine.cores()
    assert machine.survey(Train(threads=1, precision="fp32")).threads == 1
    first, second = (machine.survey(Train(deterministic=True)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("setting", "native", "gain", "taken"),
    [
        ("auto", True, 1.9, "bf16-mixed"),
        ("auto", True, 0.8, "32-true"),
        ("auto", False, 1.9, "32-true"),
        ("bf16", False, 0.8, "bf16-mixed"),
        ("fp32", True, 1.9, "32-true"),
    ],
)
def test_bf16_must_be_there_and_be_faster(
    setting: str, native: bool, gain: float, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated bf16 is slower than fp32 and less exact; what a person sets is obeyed."""
    monkeypatch.setattr(machine, "has_bf16", lambda: native)
    monkeypatch.setattr(
        machine, "interleaved", lambda ways, *_: {bf16: 1.0 if bf16 else gain for bf16 in ways}
    )
    assert machine.precision(setting) == taken


def test_a_full_gpu_does_not_stop_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is the least important of what runs there."""

    def full() -> float:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")

    monkeypatch.setattr(machine, "has_bf16", lambda: True)
    monkeypatch.setattr(machine, "_bf16_gain", full)
    assert machine.precision("auto") == "bf16-mixed"


def test_a_survey_says_what_it_took_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sees why today's training is slower, and a resumed one finds the same again."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "device", lambda: "cpu")
    monkeypatch.setattr(machine, "has_bf16", lambda: True)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    found = machine.survey(Train())
    assert torch.equal(torch.rand(4), expected), "the survey has used up random numbers"
    assert f"threads {found.threads} (1: " in found.why
    assert ("bf16 (" in found.why) == (found.precision == "bf16-mixed")
    assert "\n" not in found.why
    again = Machine(**json.loads(json.dumps(asdict(found))))
    assert again == found
    torch.set_num_threads(3 - found.threads)
    again.take()
    assert torch.get_num_threads() == found.threads


def test_ways_take_turns() -> None:
    """Ten calls of one and then ten of the other would measure who disturbed them when."""
    called: list[str] = []
    ways: dict[str, Callable[[], object]] = {
        "a": lambda: called.append("a"),
        "b": lambda: called.append("b"),
    }
    seconds = machine.interleaved(ways, 0)
    assert set(seconds) == {"a", "b"}
    assert called == ["a", "b"] * (len(called) // 2)
    assert len(called) == 8  # the first of each does not count


def test_images_stay_on_a_gpu_that_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all of its memory: the network comes later."""
    assert machine.fits_on_device(10**15, "on")
    assert not machine.fits_on_device(1, "off")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not machine.fits_on_device(1, "auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 9000))
    assert machine.fits_on_device(599, "auto")
    assert not machine.fits_on_device(601, "auto")


def test_full_memory_is_told_from_other_errors() -> None:
    """One is answered with smaller batches, the other must not be hidden."""
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60, dtype=torch.uint8)
    assert machine.is_out_of_memory(real.value)
    assert machine.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert machine.is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert not machine.is_out_of_memory(other.value)
    assert not machine.is_out_of_memory(ValueError("CUDA out of memory"))
