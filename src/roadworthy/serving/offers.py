"""What there is to follow: versions as a source offers them, checked before they are used.

The room `tracking` has the source over MLflow's registry. It is imported by name and only where it
is asked for, since who serves a frozen Bento has no MLflow.
"""

import importlib
import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import Protocol, cast

from PIL import Image

from roadworthy.bundle.format import digest, read_spec
from roadworthy.errors import BundleError, ParamsError
from roadworthy.serving.champions import Champion
from roadworthy.serving.store import home

REGISTRY = "roadworthy.tracking.source"
ADDRESS = "MLFLOW_TRACKING_URI"


class Offer(Protocol):
    """What the alias points to."""

    @property
    def version(self) -> int:
        """Number in the registry."""

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle."""

    def fetch(self) -> Path:
        """The bundle's folder, fetched where needed."""

    def used(self) -> None:
        """It answers from now on: its files must stay."""


class Source(Protocol):
    """Where versions come from. Both may raise whatever they like."""

    def tasks(self) -> Collection[str]:
        """Every task that has the alias."""

    def current(self, task: str) -> Offer | None:
        """What has the alias now; None: nothing."""


def check(folder: Path, task: str, expected: str) -> None:
    """Make sure that a folder holds this very bundle, before anything in it is used.

    Raises:
        BundleError: it holds another one, or one of another task.
    """
    found = digest(folder)
    if found != expected:
        raise BundleError(f"{folder} has the digest {found[:12]}, not {expected[:12]}")
    spec = read_spec(folder)
    if spec.task != task:
        raise BundleError(f"{folder} is a bundle of {spec.task}, not of {task}")


def check_answer(champion: Champion) -> None:
    """Make sure that its probabilities are numbers.

    Raises:
        BundleError: they are not.
    """
    [answer] = champion.predictor.predict([Image.new("RGB", (32, 32), "white")])
    if not all(map(math.isfinite, answer.probabilities.values())):
        raise BundleError(f"{champion.predictor.folder} answers with what is no number")


def registry(alias: str) -> Source:
    """The model registry that `MLFLOW_TRACKING_URI` names; not asked before it is polled.

    Raises:
        ParamsError: it cannot be asked from here; the message says what is missing.
    """
    asked = f"ROADWORTHY_FOLLOW and ROADWORTHY_SHADOW ask MLflow's registry for {alias}s"
    unset = "or unset them: a frozen service gets its next champion with its next Bento"
    try:
        module = importlib.import_module(REGISTRY)
    except ImportError as error:
        raise ParamsError(
            f"{asked}, which needs mlflow ({error}): install it beside the service, {unset}"
        ) from None
    if not os.environ.get(ADDRESS):
        raise ParamsError(f"{asked}, and {ADDRESS} says nowhere where it is: set it, {unset}")
    return cast(Source, module.RegistrySource(alias, home() / "followed" / alias))
