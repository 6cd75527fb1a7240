"""Two real bundles drive over real scenes, and the rule about scenes judges what they found."""

import hashlib
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from roadworthy.errors import DataError
from roadworthy.evaluation.detections import rank
from roadworthy.gate import scenes
from roadworthy.gate.evidence import Course, Evidence, Model, drive
from roadworthy.gate.scenes import SceneCourse
from roadworthy.params import Promote
from searching import searching_bundle, taught, windows, write_scenes

SETTINGS = Promote(bootstrap=100, max_scenes_drop=0.05, min_scenes=0.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles that find everything, nothing, or cannot search; scenes and windows."""
    folder = tmp_path_factory.mktemp("gate")
    searching_bundle(folder / "good")
    blind = deepcopy(taught())
    with torch.no_grad():
        blind.head[-1].bias[-1] -= 100  # type: ignore[index, union-attr, operator]
    searching_bundle(folder / "blind", blind)
    searching_bundle(folder / "bare", search=None)
    (folder / "windows").mkdir()
    for number, pixels in enumerate(windows(12, seed=5)[0]):
        Image.fromarray(pixels[..., 0]).save(folder / "windows" / f"{number:02}.png")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def course(root: Path) -> Course:
    """Windows to be told apart, and scenes to be searched."""
    truths = write_scenes(root / "scenes", 12)
    pictures = sorted((root / "scenes/images").iterdir())
    paths = sorted((root / "windows").iterdir())
    rows = pd.DataFrame({"path": [p.as_posix() for p in paths]})
    rows = rows.assign(sha256=[sha256(p) for p in paths], label=["background", "car"] * 6)
    seen = SceneCourse([p.as_posix() for p in pictures], [sha256(p) for p in pictures], truths)
    return Course("detector", rows, np.arange(12), scenes=seen)


def driven(root: Path, course: Course, challenger: str, champion: str | None) -> Evidence:
    old = None if champion is None else Model("detector/1", root / champion)
    return drive(course, Model("detector/2", root / challenger), old)


def judged(evidence: Evidence) -> tuple[bool | None, str, str, str]:
    found = scenes.judge(evidence, SETTINGS)
    assert found is not None
    return found


def test_an_equal_challenger_passes(root: Path, course: Course) -> None:
    """The same bundle twice finds the same: no loss."""
    evidence = driven(root, course, "good", "good")
    passed, figure, _, _ = judged(evidence)
    assert passed is True and figure.startswith("+0.0000")
    assert evidence.scenes == 12 and evidence.challenger.detections is not None
    assert rank(evidence.challenger.detections).steps().area() > 0.9


def test_a_challenger_that_finds_nothing_fails(root: Path, course: Course) -> None:
    """Against a champion, and as the first one; the other way round it is a gain."""
    lost = driven(root, course, "blind", "good")
    passed, figure, limit, _ = judged(lost)
    assert passed is False and figure.startswith("-") and limit == "no loss over 0.05"
    found = lost.challenger.detections
    assert found is not None and not sum(map(len, found.boxes))
    assert judged(driven(root, course, "blind", None))[0] is False
    assert judged(driven(root, course, "good", "blind"))[0] is True


def test_a_champion_without_search_is_not_compared_with(root: Path, course: Course) -> None:
    """It is driven over the windows all the same, and the challenger must reach the floor."""
    evidence = driven(root, course, "good", "bare")
    assert evidence.champion is not None and evidence.champion.detections is None
    assert evidence.champion.answers.targets.tolist() == [0, 1] * 6
    passed, _, limit, words = judged(evidence)
    assert passed is True and limit == "at least 0.5" and "cannot search" in words
    assert judged(driven(root, course, "blind", "bare"))[0] is False


def test_a_challenger_that_lost_the_search_fails(root: Path, course: Course) -> None:
    """Whoever is champion."""
    assert judged(driven(root, course, "bare", "good"))[:2] == (False, "cannot search")


def test_a_scene_that_changed_stops_the_drive(root: Path, course: Course) -> None:
    """Both sides are judged on what was split."""
    assert course.scenes is not None
    path = Path(course.scenes.paths[3])
    before = path.read_bytes()
    try:
        Image.new("L", (50, 50)).save(path)
        with pytest.raises(DataError, match=rf"test image .*{path.name} is not the one"):
            driven(root, course, "good", None)
    finally:
        path.write_bytes(before)
