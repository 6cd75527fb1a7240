"""The gate's rule about whole scenes: what it compares, what it allows, and what it cannot judge."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from roadworthy.detection.found import Found
from roadworthy.errors import BundleError, DataError
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.detections import Detections, rank
from roadworthy.gate import pages, scenes
from roadworthy.gate.evidence import Evidence, Side, figures
from roadworthy.params import Promote
from scenes_made import detections

SETTINGS: dict[str, Any] = {"bootstrap": 200, "max_scenes_drop": 0.05, "min_scenes": 0.5}
GOOD, FAIR, POOR = (detections(36, hit=hit, alarms=0.2) for hit in (0.95, 0.8, 0.3))
ANSWERS = Answers(
    np.array([0, 1] * 10), np.array([0, 1] * 10), np.eye(2)[[0, 1] * 10], np.arange(20)
)


def side(name: str, found: Detections | None) -> Side:
    return Side(name, ANSWERS, figures(ANSWERS), pd.DataFrame(), 1.0, 1.0, None, found)


def evidence(new: Detections | None, old: Detections | str | None = "none yet") -> Evidence:
    champion = None if isinstance(old, str) else side("detector/1", old)
    rows = pd.DataFrame({"path": ["a.png"] * 20, "label": ["car"] * 20})
    count = len(GOOD)
    challenger = side("detector/2", new)
    return Evidence(("background", "car"), rows, challenger, champion, scenes=count)


def judged(given: Evidence, **settings: Any) -> tuple[bool | None, str, str, str]:
    found = scenes.judge(given, Promote.model_validate({**SETTINGS, **settings}))
    assert found is not None
    return found


def area(given: Detections) -> float:
    return rank(given).steps().area()


def test_a_loss_over_the_limit_fails_and_a_gain_passes() -> None:
    """The observed change counts, and its interval is shown."""
    passed, figure, limit, _ = judged(evidence(FAIR, GOOD))
    assert passed is False and limit == "no loss over 0.05"
    assert figure.startswith(f"{area(FAIR) - area(GOOD):+.4f} [-")
    assert judged(evidence(GOOD, FAIR))[0] is True
    assert judged(evidence(FAIR, GOOD), max_scenes_drop=0.5)[0] is True


def test_the_same_search_passes_without_any_allowance() -> None:
    """A retrained model that finds the very same is not refused for the width of an interval."""
    passed, figure, _, _ = judged(evidence(FAIR, FAIR), max_scenes_drop=0.0)
    assert passed is True and figure.startswith("+0.0000 [+0.0000 +0.0000]")


def test_a_first_champion_must_reach_the_floor() -> None:
    """A model that merely exists is not put on the road."""
    assert judged(evidence(GOOD))[:3] == (True, f"{area(GOOD):.4f}", "at least 0.5")
    assert judged(evidence(POOR))[0] is False


def test_a_champion_of_before_is_not_compared_with() -> None:
    """A bundle that cannot search gives no figure: the floor holds, and the reader is told why."""
    passed, _, limit, words = judged(evidence(GOOD, None))
    assert passed is True and limit == "at least 0.5" and "cannot search" in words
    assert judged(evidence(POOR, None))[0] is False


def test_a_challenger_that_cannot_search_fails() -> None:
    """The task has scenes: nobody may lose the search on the way."""
    for old in ("none yet", None, FAIR):
        assert judged(evidence(None, old))[:2] == (False, "cannot search")


def test_scenes_without_a_car_are_a_missing_figure() -> None:
    """Nothing is decided by a test that cannot be failed."""
    none = [np.empty((0, 4), np.float32)] * 36
    empty = Detections(none, GOOD.boxes, GOOD.scores)
    assert judged(evidence(empty, empty))[0] is None


def test_a_task_without_scenes_is_not_asked() -> None:
    """The rule does not apply to who only classifies."""
    bare = replace(evidence(None), scenes=0)
    assert scenes.judge(bare, Promote.model_validate(SETTINGS)) is None
    assert scenes.table(bare).empty


def test_the_interval_is_paired() -> None:
    """Hard scenes are hard for both: two searches that differ little are told apart."""
    worse = Detections(
        FAIR.truths, FAIR.boxes, [np.where(s > 0.4, s, s * 0.999) for s in FAIR.scores]
    )
    found = scenes.change(FAIR, worse, Bootstrap(200))
    alone = Bootstrap(200).resample(
        lambda places: [rank(FAIR).steps(places).area()], np.arange(len(FAIR))
    )
    own = alone.estimate(0, 0.95)
    assert found.high - found.low < 0.2 * (own.high - own.low)


def test_other_scenes_are_not_compared() -> None:
    """An area over other scenes says nothing about the model."""
    with pytest.raises(DataError, match="same scenes"):
        scenes.change(GOOD, detections(36, seed=9), Bootstrap(100))


@pytest.mark.parametrize(("paths", "truths"), [([], []), (["a.jpg"], []), ([], [np.zeros((0, 4))])])
def test_a_course_that_does_not_fit_together_is_refused(
    paths: Sequence[str], truths: Sequence[np.ndarray]
) -> None:
    """A scene too many would be judged by another one's boxes."""
    with pytest.raises(DataError, match="test scenes"):
        scenes.SceneCourse(paths, ["0"] * len(paths), truths)


def test_both_sides_stand_on_the_page() -> None:
    """Who reads the decision sees the figures of both, also of one that cannot search."""
    page = "".join(pages.sides(evidence(GOOD, FAIR), [], Promote.model_validate(SETTINGS)))
    assert f"{area(GOOD):.4f}" in page and f"{area(FAIR):.4f}" in page
    assert "equal-error rate, 36 scenes" in page
    assert list(scenes.table(evidence(GOOD, None))["detector/1"]) == ["cannot search"] * 2


def searched(find: Any, read: Any = lambda path, sha256: path.encode()) -> Detections:
    course = scenes.SceneCourse(["a.jpg", "b.jpg"], ["1", "2"], GOOD.truths[:2])
    return scenes.search("detector/2", find, course, read)


def found(score: float = 0.4) -> Found:
    box = np.array([[1, 2, 101, 42]], np.float32)
    return Found(box, np.array([score], np.float32), np.zeros((1, 1), np.float32), (320, 200))


def test_every_scene_is_searched_from_its_own_bytes() -> None:
    """In the order of the truths; weak boxes are kept, as the curve needs them."""
    asked: list[bytes] = []

    def find(content: bytes) -> Found:
        asked.append(content)
        return found(0.06)

    given = searched(find)
    assert asked == [b"a.jpg", b"b.jpg"] and len(given) == 2
    assert [s.tolist() for s in given.scores] == [pytest.approx([0.06])] * 2


def test_a_scene_that_changed_or_cannot_be_read_stops() -> None:
    """What is judged is what was split, by SHA-256; the message names the scene."""

    def changed(path: str, sha256: str) -> bytes:
        raise DataError(f"test image {path} is not the one that was split")

    with pytest.raises(DataError, match=r"^test image a\.jpg is not the one"):
        searched(lambda content: found(), changed)

    def unusable(content: bytes) -> Found:
        raise DataError("not an image")

    with pytest.raises(DataError, match=r"^test image a\.jpg: not an image"):
        searched(unusable)


def test_a_search_that_gives_no_numbers_stops() -> None:
    """NaN is below every threshold: it would pass for a scene without a car."""
    with pytest.raises(BundleError, match=r"detector/2 gives no number in a\.jpg"):
        searched(lambda content: found(float("nan")))
