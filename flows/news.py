"""Is there anything to do? What is stale, not judged, not packaged, not rolled out, not committed."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows import commit, rollout, stage
from roadworthy.bundle import format as bundle_format
from roadworthy.errors import BundleError
from roadworthy.layout import STAGES, folder
from roadworthy.params import Retrain
from roadworthy.serving.champions import read_index
from roadworthy.serving.store import MODEL, home
from roadworthy.tracking import history, registry
from roadworthy.tracking.registry import Version

Champions = dict[str, Version]


@dataclass(frozen=True)
class News:
    """What there is to do; nothing of it: the night is over."""

    stale: tuple[str, ...] = ()
    """Stages that DVC would run, as `train@car`; those after them are not named."""
    unjudged: tuple[str, ...] = ()
    """Tasks whose exported model the gate has not seen against the present champion."""
    uncommitted: tuple[str, ...] = ()
    """Files of an earlier walk that are in no commit."""
    unpackaged: bool = False
    """The Bento does not hold the champions."""
    waiting: str | None = None
    """Tag of a Bento that was built and not rolled out."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self != News()

    def __str__(self) -> str:
        parts = (
            ("stale", self.stale),
            ("not judged", self.unjudged),
            ("not committed", self.uncommitted),
        )
        said = [f"{word}: {_some(names)}" for word, names in parts if names]
        said += ["the Bento does not hold the champions"] if self.unpackaged else []
        said += [f"{self.waiting} is not rolled out"] if self.waiting else []
        return "; ".join(said) or "nothing is stale"


def look(
    tasks: Sequence[str], known: Sequence[str], settings: Retrain, package: bool = True
) -> News:
    """Look at files and registry; nothing is changed.

    Args:
        tasks: those that are walked with.
        known: all of params.yaml.

    Raises:
        RoadworthyError: it cannot be told.
    """
    every = set(tasks) == set(known)
    stale = tuple(stage.status(None if every else tasks))
    champions = {task: found for task in known if (found := registry.champion(task))}
    unjudged = () if stale else tuple(task for task in tasks if not judged(task, champions))
    unpackaged = package and bool(champions) and packaged() != numbers(champions)
    return News(
        stale,
        unjudged,
        tuple(commit.changed()) if settings.commit else (),
        unpackaged,
        rollout.waiting() if package and settings.rollout and not unpackaged else None,
    )


def begin(stale: Sequence[str]) -> tuple[str, ...]:
    """The stages from the first stale one on: what comes before cannot have changed.

    A stale thing that is no stage is `data.dvc`, with which everything begins.
    """
    words = {name.split("@")[0] for name in stale}
    if not words <= set(STAGES):
        return STAGES
    return STAGES[min((STAGES.index(word) for word in words), default=len(STAGES)) :]


def judged(task: str, champions: Champions) -> bool:
    """Whether the gate has seen the exported model against the present champion."""
    champion = champions.get(task)
    try:
        digest = bundle_format.digest(folder(task, "export"))
    except (BundleError, OSError):
        return False
    if history.pending(task):
        return False  # a hand-over was cut off: the gate's first step is to settle it
    if champion is not None and champion.digest == digest:
        return True
    number = champion.number if champion else None
    last = [line for line in history.read(task) if line.digest == digest][-1:]
    return any(line.decision == "refused" and line.from_version == number for line in last)


def numbers(champions: Champions) -> dict[str, int]:
    """The champions' numbers, by task."""
    return {task: version.number for task, version in champions.items()}


def packaged() -> dict[str, int] | None:
    """Which champions the newest Bento holds; None where there is none."""
    if rollout.newest() is None:
        return None
    models = home() / "models" / MODEL
    try:
        entries = read_index(models / (models / "latest").read_text(encoding="utf-8").strip())
    except (BundleError, OSError):
        return None
    return {task: entry.version for task, entry in entries.items()}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
