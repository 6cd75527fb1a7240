"""What a killed walk or a killed DVC leaves behind: processes, locks of the dead, half a `dvc.lock`.

All of this is done under the checkout's lock, before anything else.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from flows import commit
from flows.lock import alive
from flows.process import MARK

RWLOCK = Path(".dvc") / "tmp" / "rwlock"
LOCKFILE = Path("dvc.lock")
ASIDE = Path(".cache") / "dvc.lock.broken"
# A supervisor whose flow was killed needs this long at most to stop what it runs.
PATIENCE_SECONDS = 30.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Command:
    """A DVC command that holds files of this project."""

    pid: int
    words: str

    def __str__(self) -> str:
        return f"`{self.words}` (process {self.pid})"


def end_stragglers(report: Report, patience: float = PATIENCE_SECONDS) -> None:
    """Wait for what an earlier walk of this folder still runs, then end it.

    Usually nothing: its supervisor stops it. This is for when that was killed as well.
    """
    left = stragglers()
    if left:
        report(f"an earlier walk left {_named(left)}: waiting for their end")
    _, left = psutil.wait_procs(left, timeout=patience)
    for process in left:
        report(f"ending {_named([process])}")
        _quietly(process.terminate)
    _, left = psutil.wait_procs(left, timeout=5)
    for process in left:
        _quietly(process.kill)
    psutil.wait_procs(left, timeout=5)


def stragglers() -> list[psutil.Process]:
    """Processes of ours that were started by a walk in this folder, and not below this one."""
    here = str(Path.cwd())
    mine = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    # A walk that a stage has started (a test, a person's script) is below its own supervisor.
    mine |= {parent.pid for parent in psutil.Process().parents()}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in mine and _environment(process).get(MARK) == here
    ]


def blocking() -> Command | None:
    """A living DVC command that holds files of this project, for instance one typed by hand."""
    try:
        moment = RWLOCK.stat().st_mtime
        held = _holders(json.loads(RWLOCK.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return next((command for command in held if alive(command.pid, moment + 1)), None)


def mend(report: Report) -> None:
    """Take back what a killed DVC left: DVC itself stops at each of these, and for ever."""
    _mend_rwlock(report)
    _mend_lockfile(report)
    _mend_index(report)


def _mend_rwlock(report: Report) -> None:
    """Forget holders that are dead, though their numbers may be used again, and half a file."""
    if not RWLOCK.is_file() or blocking() is not None:
        return
    with _guarded() as free:
        if not free:
            return
        try:
            held = list(_holders(json.loads(RWLOCK.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return
        except ValueError:
            report(f"{RWLOCK} was cut off by a kill: removed")
        else:
            if not held or blocking() is not None:
                return
            report(f"{RWLOCK} names {held[0]}, which is dead: removed")
        RWLOCK.unlink(missing_ok=True)


def _mend_lockfile(report: Report) -> None:
    if not LOCKFILE.is_file() or _is_whole(LOCKFILE):
        return
    ASIDE.parent.mkdir(exist_ok=True)
    os.replace(LOCKFILE, ASIDE)
    text = commit.committed(LOCKFILE)
    if text is not None:
        LOCKFILE.write_bytes(text)
    source = "that of the last commit took its place" if text is not None else "it begins anew"
    report(f"{LOCKFILE} was cut off by a kill: {source}, the broken one is {ASIDE}")


def _mend_index(report: Report) -> None:
    """A killed git leaves its lock, and refuses everything then."""
    path = commit.index_lock()
    if path is None or not path.is_file():
        return
    if not any(_is_git_here(process) for process in psutil.process_iter()):
        path.unlink(missing_ok=True)
        report(f"{path} was left by a git that was killed: removed")


def _is_git_here(process: psutil.Process) -> bool:
    try:
        return process.name() == "git" and Path(process.cwd()).is_relative_to(Path.cwd())
    except (psutil.Error, OSError):
        return False


def _is_whole(path: Path) -> bool:
    try:
        found = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and isinstance(found.get("stages"), dict)


def _holders(held: dict[str, Any]) -> Iterator[Command]:
    for mode in ("write", "read"):
        for infos in held.get(mode, {}).values():
            for info in infos if isinstance(infos, list) else [infos]:
                yield Command(int(info["pid"]), str(info["cmd"]))


@contextmanager
def _guarded() -> Iterator[bool]:
    """Whether nobody of DVC looks at the file meanwhile."""
    from dvc.lock import LockError, make_lock

    guard = make_lock(str(RWLOCK.with_name("rwlock.lock")))
    try:
        guard.lock()
    except LockError:
        yield False
        return
    try:
        yield True
    finally:
        guard.unlock()


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        found: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}
    return found


def _named(processes: Sequence[psutil.Process]) -> str:
    return ", ".join(f"{_words(process)} (process {process.pid})" for process in processes[:3])


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:100]
    except psutil.Error:
        return "?"


def _quietly(action: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        action()
