"""A hundred failures of `retrain` at random moments: afterwards one champion, a history that replays,
`dvc status` sane, and the next walk succeeds.

`ROADWORTHY_FAILURES` says how many on the road whose stages pretend (100 take an hour on two quiet
cores), `ROADWORTHY_REAL_FAILURES` how many on one that really trains, `ROADWORTHY_SEED` from which
draw, and `ROADWORTHY_KINDS` which kinds, as `full disk,killed`. `ROADWORTHY_REPORT` names a file that
gets a line of JSON for each.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import campaign
import cheap_road
import servers
import stand_in
import week
from campaign import Road
from failing import KINDS
from postgres import quick_commits, sqlite_file
from roadworthy import environment
from roadworthy.tracking import handover, registry
from street_pictures import TASK, draw
from support import tiny_bundle, write_images

__all__ = ["quick_commits", "sqlite_file"]
COUNT = int(os.environ.get("ROADWORTHY_FAILURES", "8"))
REAL = int(os.environ.get("ROADWORTHY_REAL_FAILURES", "0"))
SEED = int(os.environ.get("ROADWORTHY_SEED", "8"))
CHOSEN = [kind for kind in os.environ.get("ROADWORTHY_KINDS", "").split(",") if kind] or list(KINDS)
DISK_MEGABYTES = 600
BETTER, DELIVERED = 0.6, 0.2
"""Shares of the changes of which a better model comes, and of those that begin with new images."""
Change = Callable[[int, random.Random], bool]
# As week.SETTINGS; here nobody minds how good the model is.
QUICK = {
    "promote": {**week.SETTINGS["promote"], "floors": {"accuracy": 0.5}, "class_drop": 1.0}
    | {"slice_drop": 1.0, "max_ece": 1.0, "min_stress": 0.0, "max_stress_drop": 1.0},
    "retrain": {"wait_minutes": 5.0},
}
pytestmark = pytest.mark.slow


@pytest.mark.skipif(COUNT == 0, reason="ROADWORTHY_FAILURES is 0")
def test_after_any_failure_the_next_walk_goes_on(tmp_path: Path, sqlite_file: Path) -> None:
    """Protects the champion, the history and the data from whatever may happen to a walk."""
    pictures = write_images(tmp_path / "pictures", stand_in.IMAGES)
    bundles = made_bundles(tmp_path / "bundles", pictures)

    def lay(folder: Path) -> Change:
        cheap_road.lay(folder, pictures, sqlite_file)
        return lambda number, draw: improve(folder, number, draw)

    with road_in(tmp_path, lay, **{stand_in.BUNDLES: str(bundles)}) as road:
        campaign.endure(road, kinds(COUNT), SEED)


@pytest.mark.skipif(REAL == 0, reason="ROADWORTHY_REAL_FAILURES is not set: minutes for each")
def test_the_same_where_something_is_trained(tmp_path: Path) -> None:
    """Protects what no stand-in has: real stages, their checkpoints, their results, the Bento."""

    def lay(folder: Path) -> Change:
        week.lay(folder, QUICK)
        draw(folder / "data", seed=7, scale=0.2)
        cheap_road.git(folder, "init", "-q", "-b", "main")
        take(folder, "begun")
        return lambda number, draw: turn(folder, number, draw)

    with road_in(tmp_path, lay) as road:
        road.command = road.command[:-1]
        campaign.endure(road, kinds(REAL), SEED)


def improve(folder: Path, number: int, draw: random.Random) -> bool:
    """Something new to train; where somebody has taken the good champion off the road, it is better."""
    champion = registry.champion(TASK)
    assert champion is not None
    if champion.number > 1 and draw.random() < BETTER:
        handover.roll_back(TASK, to=1, reason="a person's choice")
    cheap_road.change(folder, number, delivery=draw.random() < DELIVERED)
    champion = registry.champion(TASK)
    return champion is not None and champion.number == 1


def kinds(count: int) -> list[str]:
    """So many, each kind as often as the others, in any order."""
    wanted = [CHOSEN[number % len(CHOSEN)] for number in range(count)]
    return random.Random(SEED).sample(wanted, count)


@contextmanager
def road_in(outside: Path, lay: Callable[[Path], Change], **own: str) -> Iterator[Road]:
    """A project on a disk of its own (as root), walked once, as the current folder."""
    disk = mount(outside / "disk")
    folder = outside / "disk/project"
    prefect = servers.prefect(outside / "prefect")
    variables = {
        **environment.SWITCHES,
        **environment.state(folder),
        "PREFECT_API_URL": servers.api(prefect),
        "PREFECT_HOME": str(outside / "prefect"),
        "OMP_NUM_THREADS": "1",
        **own,
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setenv("PYTHONPATH", os.pathsep.join(cheap_road.CODE))
            folder.mkdir()
            change = lay(folder)
            patch.chdir(folder)
            mlflow = servers.mlflow(environment.state(folder)["MLFLOW_TRACKING_URI"], folder)
            road = Road(folder, outside, dict(os.environ), prefect, mlflow, change, disk=disk)
            try:
                road.begin()
                yield road
            finally:
                road.stop()
    finally:
        if disk:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def made_bundles(folder: Path, pictures: list[Path]) -> Path:
    """One that always says car, and one that never does."""
    seen = [stand_in.sha256(path) for path in pictures[stand_in.TESTED :]]
    for name, bias in ((cheap_road.GOOD, 50.0), (cheap_road.BAD, -50.0)):
        tiny_bundle(folder / name, bias=bias, seen=seen)
    return folder


def turn(folder: Path, number: int, draw: random.Random) -> bool:
    """Another learning rate; and, where the world turns around, all labels exchanged."""
    turned = draw.random() < BETTER
    path = folder / "params.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["tasks"][TASK]["train"]["lr"] = 0.002 + number * 1e-6
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    if turned:
        # Links into DVC's cache are not written to, only named otherwise.
        for source in sorted((folder / "data/car").iterdir()):
            shutil.move(source / "car", source / "aside")
            shutil.move(source / "not_car", source / "car")
            shutil.move(source / "aside", source / "not_car")
    take(folder, f"number {number}")
    return turned


def take(folder: Path, message: str) -> None:
    """The images as they are become the version of the data; everything is committed."""
    command = [sys.executable, "-m", "roadworthy", "setup", "--accept"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    cheap_road.git(folder, "add", "-A")
    cheap_road.git(folder, *cheap_road.GIT, "commit", "-qm", message)


def mount(place: Path) -> Path | None:
    """A small disk, where this user may have one."""
    place.mkdir()
    size = f"size={DISK_MEGABYTES}m"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], capture_output=True, check=False
    )
    return place if done.returncode == 0 else None
