"""One stage of the road, through DVC: its lines as they come, its failure in words, no orphans."""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows import process
from roadworthy.errors import RoadworthyError

SHARED = frozenset({"plan", "pretrain"})
"""Stages that are one for all tasks."""
BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
AWAY = re.compile(r"the tracking server at .* does not answer|the database .* cannot be opened")
RAN = re.compile(r"^Running stage '([^']+)'")
RESTORED = re.compile(r"^Stage '([^']+)' is cached")
IDLE = re.compile(
    r"^((Stage )?'\S+' didn't change|To (track|enable) |\s+(git add|dvc config) |Use `dvc )"
)
"""Lines that say nothing: forty for each stage, and advice about git, which is ours."""
DVC = (sys.executable, "-m", "dvc")


class StageError(RoadworthyError):
    """A stage ended with an error; the message has the last lines of `dvc repro`."""


class StageBusyError(StageError):
    """Somebody else runs `dvc repro` in this project: wait and try again."""


class StageAwayError(StageError):
    """The tracking server was away: wait and try again."""


@dataclass(frozen=True)
class Walked:
    """What `dvc repro` did for a stage."""

    stage: str
    ran: tuple[str, ...]
    """Targets that ran, as `train@car`."""
    restored: tuple[str, ...]
    """Targets whose results DVC remembered from an earlier run."""
    seconds: float

    def row(self) -> dict[str, Any]:
        """What people see of it."""
        parts = (("ran", self.ran), ("restored", self.restored))
        said = [f"{word}: {', '.join(names)}" for word, names in parts if names]
        return {
            "stage": self.stage,
            "what": "; ".join(said) or "up to date",
            "seconds": round(self.seconds, 1),
        }


def targets(stage: str, tasks: Sequence[str]) -> list[str]:
    """What `dvc repro` is asked for."""
    return [stage] if stage in SHARED else [f"{stage}@{task}" for task in tasks]


def repro(stage: str, tasks: Sequence[str], report: Callable[[str], None]) -> Walked:
    """Run a stage for some tasks in this folder; what is not stale is not run.

    Args:
        report: gets every line of output when it appears.

    Raises:
        StageBusyError: another `dvc repro` holds the lock.
        StageAwayError: the tracking server does not answer.
        StageError: the stage ended with an error.
    """
    seen: dict[str, list[str]] = {"ran": [], "restored": []}

    def line(text: str) -> None:
        for kind, pattern in (("ran", RAN), ("restored", RESTORED)):
            if found := pattern.match(text):
                seen[kind].append(found.group(1))
        if not IDLE.match(text):
            report(text)

    begun = time.monotonic()
    ended = process.run([*DVC, "repro", *targets(stage, tasks)], line)
    if ended.status != 0:
        raise _failure(stage, "dvc repro", ended)
    return Walked(
        stage, tuple(seen["ran"]), tuple(seen["restored"]), seconds=time.monotonic() - begun
    )


def status(tasks: Sequence[str] | None) -> Mapping[str, Any]:
    """What DVC calls stale: by stage, its reasons; without those that wait for a stale one.

    Args:
        tasks: these and what they need; None is everything.

    Raises:
        StageBusyError: somebody holds DVC's lock.
        StageError: DVC cannot tell.
    """
    wanted = ["--with-deps", *(f"export@{task}" for task in tasks)] if tasks else []
    lines: list[str] = []
    ended = process.run([*DVC, "status", "--json", *wanted], lines.append)
    if ended.status != 0:
        raise _failure("status", "dvc status", ended)
    # Warnings come before it.
    answer = next((line for line in reversed(lines) if line.startswith("{")), None)
    if answer is None:
        raise StageError(f"`dvc status --json` did not answer as it should\n{ended.last}")
    found: dict[str, Any] = json.loads(answer)
    return found


def _failure(stage: str, command: str, ended: process.Ended) -> StageError:
    if any(words in ended.last for words in BUSY):
        return StageBusyError(
            f"{stage}: another DVC command is running in this project\n{ended.last}"
        )
    kind = StageAwayError if AWAY.search(ended.last) else StageError
    return kind(f"{stage} failed: `{command}` ended with {ended.status}\n{ended.last}")
