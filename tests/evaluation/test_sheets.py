"""The sheets show what was hit, missed and falsely found, in the right colours and places."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from roadworthy.evaluation.detections import Detections
from roadworthy.evaluation.sheets import (
    ALARM,
    HIT,
    KEY,
    MISSED,
    SIDE,
    Scene,
    chosen,
    judged,
    sheet,
    sheets,
)
from scenes_made import HEIGHT, WIDTH, detections, heat, picture

CARS = np.array([[20, 60, 120, 110], [180, 60, 280, 110]], np.float32)
BOXES = np.array([[22, 60, 122, 110], [100, 140, 160, 180], [180, 60, 280, 110]], np.float32)
SCORES = np.array([0.9, 0.8, 0.2], np.float32)
NAMES = [f"scenes/images/{n:05}.jpg" for n in range(24)]


def scene(**changes: object) -> Scene:
    values = {"name": "a.jpg", "image": picture(CARS), "truths": CARS, "boxes": BOXES}
    return Scene(**{**values, "scores": SCORES, **changes})  # type: ignore[arg-type]


def look(given: Detections, place: int) -> tuple[Image.Image, np.ndarray]:
    return picture(given.truths[place]), heat(given.boxes[place], given.scores[place])


def test_boxes_are_told_apart_by_the_threshold() -> None:
    """The weak detection of the second car is none: the car is missed."""
    one = judged(scene(), 0.5)
    assert one.found.tolist() == CARS[:1].tolist() and one.missed.tolist() == CARS[1:].tolist()
    assert one.hits.tolist() == BOXES[:1].tolist() and one.alarms.tolist() == BOXES[1:2].tolist()
    assert str(one) == "1 of 2 found, 1 false alarm"
    assert str(judged(scene(), 0.1)) == "2 of 2 found, 1 false alarm"
    empty = scene(truths=CARS[:0], boxes=BOXES[:0], scores=SCORES[:0])
    assert str(judged(empty, 0.5)) == "no car, 0 false alarms"


def test_each_kind_is_drawn_in_its_colour_where_it_is() -> None:
    """Who looks for orange finds what was missed, and nothing else."""
    drawn = np.asarray(sheet([scene()], 0.5))
    scale = SIDE / WIDTH
    for colour, box in ((HIT, BOXES[0]), (ALARM, BOXES[1]), (MISSED, CARS[1])):
        rgb = ImageColor.getrgb(colour)
        rows, columns = np.nonzero((drawn[KEY : KEY + round(HEIGHT * scale)] == rgb).all(axis=2))
        left, top, right, bottom = box * scale
        assert abs(columns.min() - left) <= 1 and abs(columns.max() - right) <= 1
        assert abs(rows.max() - bottom) <= 1 and rows.min() >= top - 20


def test_the_heat_stands_beside_the_picture() -> None:
    """Warm where the map is, grey elsewhere; a map of any size fits."""
    warm = np.zeros((5, 8), np.float32)
    warm[:, 6:] = 1
    plain, both = sheet([scene()], 0.5), sheet([scene(heat=warm)], 0.5)
    assert both.height == plain.height
    right = np.asarray(both)[KEY + 5 : KEY + 200, SIDE + 4 :].astype(int)
    colour = np.ptp(right, axis=2)
    assert colour[:, : SIDE // 2].max() <= 2 and colour[:, -40:].min() > 40


def test_every_sheet_shows_what_it_is_for() -> None:
    """Misses by their number, false alarms by their score, no scene on both; and look is asked for few."""
    given = detections(24, hit=0.6, alarms=1.0)
    places = chosen(NAMES, given, 0.5, 4)
    shown = {
        name: [
            judged(Scene("", picture(given.truths[n]), *(p[n] for p in parts(given))), 0.5)
            for n in order
        ]
        for name, order in places.items()
    }
    missed = [len(one.missed) for one in shown["misses"]]
    alarms = [one.alarm_scores.max() for one in shown["false_alarms"]]
    assert missed == sorted(missed, reverse=True) and missed[-1] > 0
    assert alarms == sorted(alarms, reverse=True)
    assert not set(places["misses"]) & set(places["false_alarms"])
    cars = given.cars[places["scenes"]] > 0
    assert len(cars) == 4 and cars.sum() == 2
    asked: list[int] = []

    def looked(place: int) -> tuple[Image.Image, np.ndarray]:
        asked.append(place)
        return look(given, place)

    made = sheets(NAMES, given, 0.5, looked, 4)
    assert list(made) == ["scenes", "misses", "false_alarms"] and len(asked) == 12


def parts(given: Detections) -> tuple[object, object, object]:
    return given.truths, given.boxes, given.scores


def test_the_same_scenes_are_shown_whatever_was_found() -> None:
    """Two reports can be laid side by side; one more scene moves at most one of its kind."""
    first = chosen(NAMES, detections(24), 0.5, 6)["scenes"]
    second = chosen(NAMES, detections(24, hit=0.2, alarms=3.0), 0.9, 6)["scenes"]
    assert first.tolist() == second.tolist()
    fewer = chosen(NAMES[:23], detections(23), 0.5, 6)["scenes"]
    assert len(set(first) & set(fewer)) >= 5


def test_a_search_without_faults_has_no_sheet_of_them() -> None:
    """An empty sheet would look like a finding."""
    truth = detections(8).truths
    best = Detections(truth, truth, [np.full(len(t), 0.9, np.float32) for t in truth])
    assert list(sheets(NAMES[:8], best, 0.5, lambda n: (picture(truth[n]), None))) == ["scenes"]


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (3, 900)])
def test_a_scene_of_an_odd_shape_is_drawn(size: tuple[int, int]) -> None:
    """Bounded in pixels, at least one high, and boxes at its edges do not stop it."""
    whole = np.array([[0, 0, *size]], np.float32)
    image = Image.new("L", size)
    warm = np.ones((1, 1), np.float32)
    one = scene(image=image, truths=whole, boxes=whole, scores=SCORES[:1], heat=warm)
    drawn = sheet([one, one, one], 0.5)
    assert drawn.width <= 4 * SIDE + 40 and drawn.height <= 2 * (SIDE + 40) + KEY


def test_a_long_name_gives_way_to_the_figures() -> None:
    """What was found stands there whole, and the sheet keeps its width."""
    first, long = (sheet([scene(name=name)], 0.5) for name in ("a.jpg", "ä" * 300))
    assert long.size == first.size and first.tobytes() != long.tobytes()
