"""The sections of `params.yaml` for what drives itself: monitor, ingest, retrain."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from roadworthy.params.sections import Count, Positive, Rate, Section, Share


class Monitor(Section):
    """When live traffic of a task is called drifted."""

    window: Annotated[int, Field(ge=50)] = 500
    """Latest images that are looked at."""
    least: Annotated[int, Field(ge=20)] = 100
    """Nothing is said about fewer images."""
    false_alarms: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    """Share of windows without drift that may raise an alarm, all tests taken together, in the mean
    over all references; with that of one bundle it may be several times as much."""
    cooldown_hours: Annotated[float, Field(ge=0)] = 24.0
    """After an alarm nothing is started again for so long."""
    max_refused: Share = 0.1
    """Share of requests that may be refused."""
    min_feedback: Positive = 20
    """Labels told by people that a judgement of the live accuracy needs."""
    max_accuracy_drop: Share = 0.05
    """Below the accuracy on test images, by more than chance explains."""
    ask: Count = 50
    """Images for which labels are asked: those that would teach most."""


class Ingest(Section):
    """How feedback and new images become a version of the data."""

    inbox: Path = Path("inbox")
    """Holds a folder for each task, and in it images laid out as `roadworthy add` reads them."""
    confirm: bool = True
    """A person looks at what would come, and says yes."""
    wait_hours: Annotated[float, Field(ge=0, le=168)] = 12.0
    """How long the flow waits for that person, in Prefect's pages; 0: it does not."""
    least: Positive = 1
    """New images that are worth a version."""


class Retrain(Section):
    """The walk that Prefect starts."""

    fetch: bool = False
    """Ask first whether the collections of `sources` have newer versions, and bring them."""
    commit: bool = True
    """Commit what the walk leaves in git (data.dvc, dvc.lock, splits/): the gate asks where a model
    comes from."""
    wait_minutes: Annotated[float, Field(ge=0)] = 30.0
    """How long to wait for another walk in this folder."""
    gpu: bool | None = None
    """Training takes a place of Prefect's limit `roadworthy-gpu`; null: where there is an NVIDIA GPU."""
    least_new: Count = 20
    """New labelled images since the last walk without which drift starts none."""
    rollout: tuple[str, ...] = ()
    """A command that puts the Bento into service, with {tag} for its name; empty: it is only built."""
    rollout_minutes: Rate = 30.0
    """After which that command is given up."""
    notify: tuple[str, ...] = ()
    """Prefect blocks that are told (`slack-webhook/team`, `custom-webhook/ops`, `mail/team`)."""
