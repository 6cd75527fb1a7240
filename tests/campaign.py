"""One failure after the other on one road, and what must hold after each of them."""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

import failing
import servers
from failing import KINDS, Walking
from roadworthy.bundle import format as bundle_format
from roadworthy.tracking import history, registry
from roadworthy.tracking.replay import replay

TASK = "car"
REPORT = "ROADWORTHY_REPORT"
SLOWER = 1.03
"""How much longer walks are taken to be for each that the moment did not miss."""
STAGE = re.compile(r"Task run '([^']+)'")


@dataclass(frozen=True)
class Outcome:
    """What came of one failure."""

    number: int
    kind: str
    better: bool
    """Whether the new model was better for certain."""
    moment: float
    """Seconds from the start of the walk."""
    missed: bool
    """Whether the walk had ended before."""
    status: int
    """With which the walk ended; 0: it got over it."""
    where: str
    """The stage that it was in."""
    sane: str
    """What `dvc status` said before the next walk."""
    seconds: float
    """That the next walk took."""
    words: str
    """Why the walk failed, in its own words."""


@dataclass
class Road:
    """A project that has been walked, as the current folder, and the servers that it depends on."""

    folder: Path
    outside: Path
    """A folder on another disk."""
    variables: dict[str, str]
    """The environment of a walk."""
    prefect: servers.Server
    mlflow: servers.Server
    change: Callable[[int, random.Random], bool]
    """Commit something new; gives whether the model that comes of it is better for certain, which it
    otherwise is not."""
    command: tuple[str, ...] = failing.COMMAND
    disk: Path | None = None
    number: int = 0
    seconds: float = 0.0
    """That a walk takes, about: other programs make this machine faster and slower."""

    def walk(self, draw: random.Random, name: str, server: bool = False) -> Walking:
        """A walk that was not begun, whose harm comes at a random moment of it."""
        own = {"MLFLOW_TRACKING_URI": servers.url(self.mlflow)} if server else {}
        return Walking(
            self.folder,
            self.variables | own,
            self.outside / f"{self.number:03}-{name}.txt",
            draw.uniform(0.02, 1.0) * self.seconds,
            draw,
            self.prefect,
            self.mlflow,
            self.disk,
            self.command,
        )

    def walk_on(self) -> float:
        """The next walk, which must succeed; its seconds."""
        walk = self.walk(random.Random(0), "next")
        begun = time.monotonic()
        walk.start()
        walk.end()
        assert walk.process.returncode == 0, failing.tail(walk.said, 60)
        return time.monotonic() - begun

    def begin(self) -> None:
        """Walk for the first time."""
        self.prefect.start()
        self.seconds = self.walk_on()

    def stop(self) -> None:
        """End everything."""
        for server in (self.prefect, self.mlflow):
            server.kill()
        failing.kill(failing.orphans(self.folder))


def endure(road: Road, kinds: list[str], seed: int) -> None:
    """Let all of these happen, one walk each; a walk that nothing happens to follows each of them."""
    for place, kind in enumerate(kinds, 1):
        missed = True
        while missed:  # it ended before the moment came
            road.number += 1
            draw = random.Random(f"{seed} {road.number}")
            print(f"{place} of {len(kinds)}, seed {seed}, draw {road.number}: {kind}", flush=True)
            outcome = fail(road, kind, draw)
            missed = outcome.missed
            print(f"  {outcome}", flush=True)
            if report := os.environ.get(REPORT):
                with Path(report).open("a") as out:
                    print(json.dumps(asdict(outcome)), file=out)


def fail(road: Road, kind: str, draw: random.Random) -> Outcome:
    """One failure and the walk after it."""
    better = road.change(road.number, draw)
    before = _champion()
    server = kind == "dead MLflow"
    if server:
        road.mlflow.start()
    walk = road.walk(draw, "failed", server)
    walk.start()
    KINDS[kind](walk)
    road.seconds = walk.late or road.seconds * SLOWER
    road.mlflow.kill()
    one_champion(before)
    sane = dvc_status(road)
    seconds = road.walk_on()
    clean(road, better)
    said = failing.tail(walk.said, 200)
    where = STAGE.findall(said)
    return Outcome(
        number=road.number,
        kind=kind,
        better=better,
        moment=round(walk.moment, 1),
        missed=walk.late is not None,
        status=walk.process.returncode,
        where=where[-1] if where else "before all stages",
        sane=sane,
        seconds=round(seconds, 1),
        words=next((line for line in said.splitlines() if line.startswith("ERROR")), ""),
    )


def one_champion(before: int | None) -> None:
    """Right after the failure: the champion of before or the new one, whole, and on record."""
    champion = registry.champion(TASK)
    assert champion is not None
    registry.bundle_folder(champion)
    lines = [entry for entry in history.entries(TASK) if entry.decision.decision in history.MOVING]
    settled = replay(entry.decision for entry in lines if not entry.pending).champion
    pending = {entry.decision.to_version for entry in lines if entry.pending}
    assert champion.number == settled or champion.number in pending, (champion, settled, pending)
    assert champion.number == before or lines[-1].decision.to_version == champion.number


def clean(road: Road, better: bool) -> None:
    """After the next walk: nothing pending, stale, uncommitted or running; promoted once, if better."""
    champion = registry.champion(TASK)
    assert champion is not None
    registry.bundle_folder(champion)
    assert not history.pending(TASK)
    state = replay(history.read(TASK))
    assert state.champion == champion.number
    assert registry.aliases(TASK).get(registry.PREVIOUS) == state.previous(registry.numbers(TASK))
    digest = bundle_format.digest(road.folder / f"artifacts/{TASK}/export")
    about = [line.decision for line in history.read(TASK) if line.digest == digest]
    assert about.count("promoted") == int(better), about
    assert (champion.digest == digest) == better
    assert dvc_status(road) == "up to date"
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=road.folder, capture_output=True, check=True).stdout == b""
    assert running(road) == []


def dvc_status(road: Road) -> str:
    """`up to date`, `stale`, or its last words; never a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status"],
        cwd=road.folder,
        env=road.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return "up to date" if "up to date" in done.stdout else "stale"


def running(road: Road) -> list[str]:
    """Flow runs that say Running."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    answer = httpx.post(f"{servers.api(road.prefect)}/flow_runs/filter", json=wanted, timeout=30)
    return [run["name"] for run in answer.raise_for_status().json()]


def _champion() -> int | None:
    champion = registry.champion(TASK)
    return champion.number if champion else None
