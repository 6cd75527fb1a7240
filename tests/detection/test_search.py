"""The search finds what an engine marks, in the right place, at any size and however it is cut."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from roadworthy.data.geometry import overlaps
from roadworthy.detection import search
from roadworthy.detection.search import Searcher
from roadworthy.detection.torched import suppress
from roadworthy.params import Input, Search

SPEC = Input(height=24, width=40, channels=1, mean=(0.0,), std=(1.0,))
SETTINGS = Search(enabled=True, smallest=0.1, largest=0.6, step=1.15)
STRIDE = (4, 4)


def brightness(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A made-up engine: sure of a window that is bright inside, and dark along its rim."""
    views = np.lib.stride_tricks.sliding_window_view(picture[0, 0], (24, 40))[::4, ::4]
    inner = views[..., 3:21, 4:36].mean((2, 3))
    rim = (views.mean((2, 3)) * 960 - inner * 576) / 384
    sought = 22 * (inner - rim) - 9
    logits = np.stack([np.zeros_like(sought), sought])[None]
    # The thing lies inside: four fifths as wide, three quarters as high.
    offsets = np.array([0, 0, np.log(0.8), np.log(0.75)], np.float32)[:, None, None]
    return logits.astype(np.float32), np.broadcast_to(offsets, (4, *sought.shape))[None]


def searcher(**changes: Any) -> Searcher:
    settings = SETTINGS.model_copy(update=changes)
    return Searcher(brightness, suppress, SPEC, settings, STRIDE)


def planted(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Image.Image:
    pixels = np.full(size[::-1], 20, np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 240
    return Image.fromarray(pixels)


@pytest.mark.parametrize("wide", [24, 37, 58, 90])
@pytest.mark.parametrize("corner", [(20, 60), (101, 33)])
def test_a_planted_rectangle_is_found_where_it_is(wide: int, corner: tuple[int, int]) -> None:
    """At several sizes and places, by a window of one size."""
    left, top = corner
    box = (left, top, left + wide, top + round(wide * 18 / 32))
    found = searcher().find(planted((240, 160), box))
    assert len(found) and found.scores[0] > 0.8
    assert overlaps(found.boxes[:1], np.array([box], np.float32)) > 0.6


def test_two_things_are_two_boxes() -> None:
    """One box for each: of windows that overlap the surest stays."""
    first, second = (20, 20, 68, 47), (140, 90, 212, 130)
    found = searcher().find(planted((240, 160), first, second)).above(0.8)
    shared = overlaps(np.array([first, second], np.float32), found.boxes)
    assert len(found) == 2 and (shared.max(axis=1) > 0.6).all()


@pytest.mark.parametrize("size", [(1, 1), (240, 160), (7, 300), (2000, 3), (41, 25)])
def test_what_is_found_lies_in_the_picture(size: tuple[int, int]) -> None:
    """Inside, solid, the surest first, within the number asked for, and of the promised types."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, size[::-1], dtype=np.uint8))
    found = searcher(floor=1e-6, most=7).find(noise)
    assert len(found.boxes) == len(found.scores) == len(found) <= 7
    assert found.boxes.dtype == found.scores.dtype == found.heat.dtype == np.float32
    assert found.boxes.shape[1] == 4 and found.size == size
    assert (found.boxes >= 0).all() and (found.boxes <= np.tile(size, 2)).all()
    assert (found.boxes[:, 2:] - found.boxes[:, :2] >= 1).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_nothing_is_found_in_nothing() -> None:
    """No boxes is an answer, with the shapes of one."""
    found = searcher().find(planted((240, 160)))
    assert found.boxes.shape == (0, 4) and found.scores.shape == (0,) and len(found) == 0
    assert len(found.above(0.5)) == 0 and found.heat.max() < 0.05


def test_how_it_is_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles bound the memory, and nothing else."""
    picture = planted((240, 160), (20, 20, 68, 47), (140, 90, 212, 130))
    whole = searcher(floor=1e-5).find(picture).above(0.02)
    assert len(whole) > 3
    for tile in (3000, 20_000):
        monkeypatch.setattr(search, "TILE", tile)
        cut = searcher(floor=1e-5).find(picture).above(0.02)
        np.testing.assert_allclose(cut.scores, whole.scores, atol=1e-5)
        np.testing.assert_allclose(cut.boxes, whole.boxes, atol=1e-2)
        np.testing.assert_allclose(cut.heat, whole.heat, atol=0.005)


def test_no_pass_is_larger_than_a_tile() -> None:
    """A large picture is many passes."""
    seen = []

    def watching(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(picture.shape[2] * picture.shape[3])
        return brightness(picture)

    replace(searcher(smallest=0.02, step=3.0), maps=watching).find(planted((1500, 1000)))
    assert len(seen) > 4 and max(seen) <= search.TILE


@pytest.mark.parametrize("size", [(240, 160), (160, 240), (1, 1), (100, 2), (900, 30)])
def test_the_map_covers_the_picture(size: tuple[int, int]) -> None:
    """No larger than the picture, of its shape, and warm where the thing is."""
    width, height = size
    found = searcher().find(planted(size, (width // 2, 0, width, height // 2)))
    rows, columns = found.heat.shape
    assert rows <= height and columns <= width and max(rows, columns) <= search.HEAT
    assert max(rows, columns) == min(search.HEAT, max(size))
    assert found.heat.min() >= 0 and found.heat.max() <= 1


def test_the_map_is_warm_where_the_thing_is() -> None:
    """The place of the largest value, in the picture's own units, is inside the thing."""
    box = np.array([140, 90, 212, 130])
    found = searcher().find(planted((240, 160), tuple(box.tolist())))
    row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
    x, y = (column + 0.5) / found.heat.shape[1] * 240, (row + 0.5) / found.heat.shape[0] * 160
    assert box[0] < x < box[2] and box[1] < y < box[3]
    assert found.heat.max() == pytest.approx(found.scores[0], abs=0.01)


def test_temperature_and_one_logit() -> None:
    """Scores are calibrated as the classifier's; a network with one logit searches as well."""
    picture = planted((240, 160), (20, 20, 68, 47))

    def one_logit(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, offsets = brightness(pixels)
        return logits[:, 1:], offsets

    plain = searcher(floor=0.01).find(picture)
    single = replace(searcher(floor=0.01), maps=one_logit).find(picture)
    np.testing.assert_allclose(single.scores, plain.scores, atol=1e-6)
    mild = replace(searcher(floor=0.01), temperature=3.0).find(picture)
    odds = np.log(plain.scores[0] / (1 - plain.scores[0]))
    assert mild.scores[0] == pytest.approx(1 / (1 + np.exp(-odds / 3)), abs=1e-3)


def test_above_keeps_those_that_are_as_sure() -> None:
    """The threshold itself counts."""
    found = searcher(floor=1e-4).find(planted((240, 160), (20, 20, 68, 47)))
    cut = float(found.scores[1])
    assert (found.above(cut).scores >= cut).all() and len(found.above(cut)) >= 2
    assert len(found.above(1.1)) == 0 and len(found.above(0.0)) == len(found)


def test_windows_for_mining_are_apart_and_above_the_floor() -> None:
    """What is learned from are different places, the surest first."""
    asked = searcher(floor=0.2)
    windows, scales, sure = asked.apart(planted((240, 160), (20, 20, 68, 47)))
    assert 1 <= len(windows) == len(scales) == len(sure)
    assert (sure >= 0.2).all() and (np.diff(sure) <= 0).all()
    shared = overlaps(windows, windows)
    assert (shared[~np.eye(len(windows), dtype=bool)] <= asked.settings.overlap + 1e-6).all()


def test_the_map_has_no_gaps_between_windows() -> None:
    """Also where windows are far apart (a stride of 32), a bright picture is warm all over its middle."""
    far = replace(searcher(floor=1e-4), stride=(12, 20))

    def everywhere(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = (pixels.shape[2] - 24) // 12 + 1
        wide = (pixels.shape[3] - 40) // 20 + 1
        return np.full((1, 1, high, wide), 9.0), np.zeros((1, 4, high, wide))

    heat = replace(far, maps=everywhere).find(planted((240, 160))).heat
    rows, columns = heat.shape
    assert (heat[rows // 3 : -rows // 3, columns // 3 : -columns // 3] > 0.9).all()


def test_colour_is_searched_in_colour() -> None:
    """A network for three channels gets three."""
    shapes = set()

    def watching(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shapes.add(picture.shape[:2])
        return brightness(picture)

    spec = SPEC.model_copy(update={"channels": 3, "mean": (0.0,) * 3, "std": (1.0,) * 3})
    replace(searcher(), maps=watching, input=spec).find(planted((60, 60)))
    assert shapes == {(1, 3)}
