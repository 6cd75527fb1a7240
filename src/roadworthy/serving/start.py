"""From a folder of champions and the environment's settings to a running application."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from roadworthy.serving import settings
from roadworthy.serving.app import create_app
from roadworthy.serving.champions import load_champions
from roadworthy.serving.context import Context
from roadworthy.serving.follow import Follower
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.offers import registry
from roadworthy.serving.settings import Settings
from roadworthy.serving.shadow import CHALLENGER, Shadow
from roadworthy.serving.trace import log_json


@dataclass(frozen=True)
class Running:
    """What was started, and how to stop it."""

    app: FastAPI
    context: Context
    follower: Follower | None

    def stop(self) -> None:
        """Finish what was begun; the log is written to its end."""
        if self.follower:
            self.follower.close()
        self.context.close()


def run(folder: Path) -> Running:
    """Load the champions in `folder` and start what serves them.

    Raises:
        BundleError: a champion cannot be loaded.
        ParamsError: a setting cannot be used.
    """
    log_json()
    chosen = settings.read()
    _, threads = chosen.shared(settings.cores())
    champions = load_champions(folder, engine=chosen.engine, threads=threads)
    metrics = Metrics()
    context = Context(chosen, champions, metrics, _shadow(chosen, metrics))
    return Running(create_app(context), context, _follower(chosen, context, threads))


def _shadow(chosen: Settings, metrics: Metrics) -> Shadow | None:
    if not chosen.shadow:
        return None
    shadow = Shadow(
        registry(CHALLENGER), chosen.shadow, metrics, chosen.follow_seconds, engine=chosen.engine
    )
    shadow.start()
    return shadow


def _follower(chosen: Settings, context: Context, threads: int) -> Follower | None:
    if not chosen.follow:
        return None
    follower = Follower(
        registry(chosen.follow),
        context.served,
        context.metrics.swapped,
        chosen.follow_seconds,
        alias=chosen.follow,
        engine=chosen.engine,
        threads=threads,
    )
    follower.start()
    return follower
