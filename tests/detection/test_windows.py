"""Windows to learn from: around known boxes, and false alarms."""

import numpy as np
from PIL import Image

from roadworthy.data.geometry import overlaps
from roadworthy.detection.offsets import decode
from roadworthy.detection.search import Searcher
from roadworthy.detection.torched import searcher, suppress
from roadworthy.detection.windows import MOST, Scene, around, false_alarms
from searching import SETTINGS, SIZE, WINDOW, drawn, some_boxes, taught

STRIDE = (4, 4)


def scenes(count: int) -> list[Scene]:
    found = [some_boxes(number) for number in range(count)]
    return [Scene(drawn(SIZE, boxes, n), boxes) for n, boxes in enumerate(found)]


def test_windows_show_their_box_where_the_offsets_say() -> None:
    """Decoded, each leads to a thing: the pixels there are bright above and dark below."""
    found = around(scenes(8), WINDOW, SETTINGS, STRIDE)
    assert found.pixels.shape[1:] == (24, 40, 1) and found.pixels.dtype == np.uint8
    assert len(found.pixels) == len(found.offsets) > 60
    whole = np.repeat([[0, 0, 40, 24]], len(found.offsets), axis=0).astype(np.float32)
    boxes = np.rint(decode(found.offsets, whole)).astype(int)
    for pixels, (left, top, right, bottom) in zip(found.pixels[..., 0], boxes, strict=True):
        middle = (top + bottom) // 2
        inner = slice(max(left, 0) + 2, min(right, 40) - 2)
        assert pixels[max(top, 0) + 2 : middle - 1, inner].mean() > 190
        assert pixels[middle + 2 : min(bottom, 24) - 1, inner].mean() < 70


def test_windows_are_near_where_such_boxes_usually_are() -> None:
    """The middle way over all boxes; each window's own differs little, and none has too many."""
    given = scenes(8)
    found = around(given, WINDOW, SETTINGS, STRIDE)
    window = np.array([[0, 0, 1, 1]], np.float32)
    usual = decode(np.median(found.offsets, axis=0, keepdims=True), window)
    boxes = decode(found.offsets, np.repeat(window, len(found.offsets), axis=0))
    assert (overlaps(boxes, usual) > 0.5).all()
    assert len(found.offsets) <= MOST * sum(len(scene.boxes) for scene in given)


def test_few_boxes_and_none_give_no_windows() -> None:
    """Where boxes usually are cannot be told from four; a scene without one is no error."""
    empty = Scene(drawn(SIZE, np.empty((0, 4))), np.empty((0, 4), np.float32))
    for given in ([], [empty], [*scenes(2), empty]):
        found = around(given, WINDOW, SETTINGS, STRIDE)
        assert found.pixels.shape == (0, 24, 40, 1) and found.offsets.shape == (0, 4)
    assert len(around([*scenes(8), empty], WINDOW, SETTINGS, STRIDE).pixels)


def test_a_box_that_no_level_meets_is_left_out() -> None:
    """A thing as small as a pixel teaches nothing about windows."""
    speck = np.array([[5, 5, 7, 6]], np.float32)
    more = Scene(drawn(SIZE, speck), speck)
    plain, with_speck = (
        around(given, WINDOW, SETTINGS, STRIDE) for given in (scenes(8), [*scenes(8), more])
    )
    assert np.array_equal(plain.pixels, with_speck.pixels)


def bright_spots(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sure of a window by its mean brightness."""
    views = np.lib.stride_tricks.sliding_window_view(picture[0, 0], (24, 40))[::4, ::4]
    sought = (8 * views.mean((2, 3)))[None, None]
    return sought.astype(np.float32), np.zeros((1, 4, *sought.shape[2:]), np.float32)


def test_false_alarms_are_the_surest_and_spread() -> None:
    """The brightest spots of all pictures, each once: not the same one from all its windows."""
    pictures = []
    for level in (255, 200, 120):
        pixels = np.zeros((120, 160), np.uint8)
        pixels[10:38, 10:56] = level
        pixels[70:98, 90:136] = level - 20
        pictures.append(Image.fromarray(pixels))
    one_level = {"floor": 0.6, "smallest": 0.28, "largest": 0.28}
    engine = Searcher(bright_spots, suppress, WINDOW, SETTINGS.model_copy(update=one_level), STRIDE)
    found = false_alarms(engine, pictures, 4)
    assert found.shape == (4, 24, 40, 1) and found.dtype == np.uint8
    tops = [int(window.max()) for window in found]
    assert tops == [255, 235, 200, 180]
    everything = false_alarms(engine, pictures, 1000)
    assert len(everything) < 60
    means = everything.reshape(len(everything), -1).mean(axis=1)
    assert (np.diff(means) < 1).all() and np.array_equal(everything[:4], found)


def test_no_pictures_no_false_alarms() -> None:
    """And none in a picture where nothing is sure."""
    engine = searcher(taught(), WINDOW, SETTINGS.model_copy(update={"floor": 0.9}))
    assert false_alarms(engine, [], 10).shape == (0, 24, 40, 1)
    grey = Image.new("L", SIZE, 120)
    assert false_alarms(engine, [grey], 10).shape == (0, 24, 40, 1)
