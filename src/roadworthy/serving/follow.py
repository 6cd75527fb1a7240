"""Follow the registry: what gets the alias is loaded beside what is served, and takes its place.

A service that fails to follow goes on with what it has: an old champion answers, a missing one does
not. Requests keep the champion that they began with, and the last of them lets it go.
"""

import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from roadworthy.bundle.predictor import Engine
from roadworthy.errors import TrackingError
from roadworthy.serving.champions import Champion, load
from roadworthy.serving.offers import Offer, Source, check, check_answer

# Polls that a version which could not be used is left alone, unless the alias moves.
REST = 20
SLOWEST = 8
"""A registry that is away is asked up to this many times more rarely."""
JITTER = 0.2
CLOSE_SECONDS = 5.0
NICE = 10
# Trouble that may be over next time; everything else is the bundle's own.
PASSING = (TrackingError, OSError, MemoryError)
EVERY = ""
"""Stands for all tasks among those that cannot be asked for."""
log = logging.getLogger(__name__)


class Place(Protocol):
    """Where champions are put, such as `context.Served`."""

    @property
    def champions(self) -> Mapping[str, Champion]:
        """By task; replaced as a whole, never changed."""

    def replace(self, task: str, champion: Champion) -> None:
        """Use `champion` from now on."""


@dataclass(frozen=True)
class _Rest:
    """A version that is tried again after so many polls."""

    offer: tuple[int, str]
    tries: int = 0
    polls: int = 0


class Follower:
    """Polls in a thread of its own.

    Args:
        source: is asked; each call may take long, and should end by itself.
        place: what is served.
        count: called with a task for which a version was tried, and whether that is used now.
        seconds: from one poll to the next, give or take a fifth.
        alias: for the log.
        engine: for what is loaded.
        threads: of that engine.
        lost: called with a task that has lost the alias; without it such a champion stays.
        nice: let everything else on the machine go first. Threads of an engine that is loaded in
            such a thread stay like this, so it is nothing for champions.
    """

    def __init__(
        self,
        source: Source,
        place: Place,
        count: Callable[[str, bool], object],
        seconds: float = 30.0,
        *,
        alias: str = "champion",
        engine: Engine = "auto",
        threads: int | None = None,
        lost: Callable[[str], None] | None = None,
        nice: bool = False,
    ) -> None:
        self.source, self.place, self.seconds, self.alias = source, place, seconds, alias
        self._count = count
        self._engine, self._threads, self._lost, self._nice = engine, threads, lost, nice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._resting: dict[str, _Rest] = {}
        self._said: dict[str, str] = {}
        self._away: set[str] = set()

    def start(self) -> None:
        """Poll now, and then again and again."""
        self._thread.start()

    def close(self) -> None:
        """Poll no more; waits up to 5 seconds for what is being loaded."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def poll(self) -> bool:
        """Look at every task once; never raises. False: the source could not be asked."""
        try:
            tasks = sorted({*self.source.tasks(), *self.place.champions})
        except Exception as error:  # a follower that dies would follow no more
            self._unasked(EVERY, "the registry cannot be asked", error)
            return False
        self._asked(EVERY)
        asked = [self._follow(task) for task in tasks]
        return all(asked)

    def _run(self) -> None:
        if self._nice:
            be_nice()
        slow, wait = 1, 0.0
        while not self._stop.wait(wait):
            slow = 1 if self.poll() else min(2 * slow, SLOWEST)
            wait = self.seconds * slow * random.uniform(1 - JITTER, 1 + JITTER)

    def _follow(self, task: str) -> bool:
        served = self.place.champions.get(task)
        try:
            offer = self.source.current(task)
        except Exception as error:
            self._unasked(task, f"{task}: its alias cannot be looked up", error)
            return False
        self._asked(task)
        if offer is None:
            self._without(task, served)
        elif served and (served.version, served.digest) == (offer.version, offer.digest):
            self._well(task)
        elif not self._rests(task, offer):
            self._take(task, offer, served)
        return True

    def _take(self, task: str, offer: Offer, served: Champion | None) -> None:
        try:
            champion = self._loaded(task, offer, served)
        except Exception as error:
            tries = self._resting[task].tries + 1
            polls = min(2**tries - 1, REST) if isinstance(error, PASSING) else REST
            self._resting[task] = replace(self._resting[task], tries=tries, polls=polls)
            self._failed(task, f"{task}/{offer.version} cannot be used", error)
            return
        if self._stop.is_set():
            return
        self.place.replace(task, champion)
        offer.used()
        self._count(task, True)
        before = f"after {task}/{served.version}" if served else "the first one"
        log.info("%s/%d is %s now, %s", task, offer.version, self.alias, before)

    def _loaded(self, task: str, offer: Offer, served: Champion | None) -> Champion:
        if served is not None and served.digest == offer.digest:
            return replace(served, version=offer.version)
        folder = offer.fetch()
        check(folder, task, offer.digest)
        champion = load(
            folder, offer.version, offer.digest, engine=self._engine, threads=self._threads
        )
        check_answer(champion)
        return champion

    def _rests(self, task: str, offer: Offer) -> bool:
        """Whether this version failed not long ago; counts down."""
        wanted = (offer.version, offer.digest)
        rest = self._resting.get(task)
        if rest is None or rest.offer != wanted:
            rest = _Rest(wanted)
        self._resting[task] = replace(rest, polls=max(rest.polls - 1, 0))
        return rest.polls > 0

    def _without(self, task: str, served: Champion | None) -> None:
        self._resting.pop(task, None)
        if served is None:
            return
        if self._lost is not None:
            self._lost(task)
            return
        stays = f"{task}/{served.version} stays, for an old answer is better than none"
        self._say(task, f"{task}: no version is {self.alias} any more, {stays}")

    def _failed(self, task: str, what: str, error: Exception) -> None:
        self._count(task, False)
        served = self.place.champions.get(task)
        stays = f"{task}/{served.version} stays" if served else "nothing answers for it yet"
        self._say(task, f"{task}: {what}, {stays}: {_gist(error)}")

    def _unasked(self, what: str, message: str, error: Exception) -> None:
        """Say it once in an outage, in whose course the error's words may change."""
        if what not in self._away:
            self._away.add(what)
            log.warning("%s, what is served stays: %s", message, _gist(error))

    def _asked(self, what: str) -> None:
        if what in self._away:
            self._away.remove(what)
            log.info("the registry can be asked again%s", what and f" for {what}")

    def _well(self, task: str) -> None:
        self._resting.pop(task, None)
        if self._said.pop(task, None):
            log.info("%s: nothing is wrong any more", task)

    def _say(self, task: str, message: str) -> None:
        """Once, until something else is to be said."""
        if self._said.get(task) != message:
            self._said[task] = message
            log.warning(message)


def _gist(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__


def be_nice() -> None:
    """Give this thread, and threads that it starts, what the others leave."""
    if sys.platform == "linux":  # elsewhere niceness belongs to processes
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
