"""Put the Bento into service, by the command that `retrain.rollout` is; remember what was."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from flows import process
from roadworthy.errors import RoadworthyError
from roadworthy.pipeline.package import BENTO
from roadworthy.serving.store import home

DONE = Path(".cache") / "rolled-out"
"""The tag that was rolled out last."""
TAG = "{tag}"


class RolloutError(RoadworthyError):
    """The command failed, or took too long; the champions are what was decided."""


def roll_out(
    command: Sequence[str], tag: str, minutes: float, report: Callable[[str], None]
) -> None:
    """Run the command, with `{tag}` for the Bento's name, in this folder.

    What it starts and leaves running may stay, if it ends with 0.

    Raises:
        RolloutError: it ended with another status, or did not end in time, or is not there.
    """
    words = [word.replace(TAG, tag) for word in command]
    ended = process.run(words, report, seconds=minutes * 60, leave=True)
    if ended.late:
        raise RolloutError(
            f"the rollout of {tag} did not end within {minutes:g} minutes (retrain.rollout_minutes) "
            f"and was stopped; the champions stay as decided\n{ended.last}"
        )
    if ended.status != 0:
        raise RolloutError(
            f"the rollout of {tag} failed: {words[0]} ended with {ended.status}; the champions stay "
            f"as decided, and the next walk tries again\n{ended.last}"
        )
    DONE.parent.mkdir(exist_ok=True)
    temporary = DONE.with_name(f".{DONE.name}.tmp")
    temporary.write_text(tag, encoding="utf-8")
    os.replace(temporary, DONE)


def newest() -> str | None:
    """Tag of the Bento that was built last; None where there is none."""
    store = home() / "bentos" / BENTO
    try:
        version = (store / "latest").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return f"{BENTO}:{version}" if (store / version / "bento.yaml").is_file() else None


def waiting() -> str | None:
    """Tag of the newest Bento, if it was not rolled out."""
    tag = newest()
    done = DONE.read_text(encoding="utf-8") if DONE.is_file() else None
    return tag if tag != done else None
