"""Every frame of a good video, the good ones of a damaged one, and no word of anything else."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from roadworthy.errors import DataError
from roadworthy.scene import video
from roadworthy.scene.crew import Crew
from roadworthy.scene.video import Film, Moment, inspect_video, opened
from videos import CONTAINERS, cut, frames_of, write_video

FRAMES = 30


def quiet(*_: Any) -> None:
    """Nobody watches."""


def inspect(
    crew: Crew, source: Path, target: Path | None, **more: Any
) -> tuple[Film, list[Moment]]:
    seen: list[Moment] = []
    return inspect_video(source, target, crew.look, seen.append, quiet, **more), seen


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_whole_video(crew: Crew, tmp_path: Path, name: str) -> None:
    """All its frames are there again, with the times they had, and it is called complete."""
    codec, options = CONTAINERS[name]
    source = write_video(tmp_path / name, FRAMES, codec=codec, options=options)
    film, seen = inspect(crew, source, tmp_path / "out.mp4")
    assert (film.frames, film.complete, film.every) == (FRAMES, True, 5)
    assert film.seconds == pytest.approx((FRAMES - 1) / 25, abs=0.01)
    assert [one.frame for one in seen] == [0, 5, 10, 15, 20, 25]
    assert [one.seconds for one in seen] == pytest.approx(
        [n / 25 for n in range(0, 30, 5)], abs=0.01
    )
    with opened(tmp_path / "out.mp4") as written:
        times = [time for time, _ in written.frames()]
    assert times == pytest.approx([n / 25 for n in range(FRAMES)], abs=0.01)


@pytest.mark.parametrize("share", [0.6, 0.97])
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_video_that_ends_in_a_frame(crew: Crew, tmp_path: Path, name: str, share: float) -> None:
    """What could be decoded is inspected and written, and it is called incomplete."""
    codec, options = CONTAINERS[name]
    source = cut(write_video(tmp_path / name, FRAMES, codec=codec, options=options), share)
    film, seen = inspect(crew, source, tmp_path / "out.mp4")
    assert not film.complete
    assert 0 < film.frames < FRAMES
    assert len(seen) == film.inspected
    assert len(frames_of(tmp_path / "out.mp4")) == film.frames


def test_sound_is_no_end(crew: Crew, tmp_path: Path) -> None:
    """It is not written, may last longer than the pictures, and tells where a file was cut."""
    source = write_video(tmp_path / "a.mkv", FRAMES, sound=True)
    assert inspect(crew, source, None)[0].complete
    assert not inspect(crew, cut(source, 0.8), None)[0].complete


def test_what_is_no_video_is_refused(crew: Crew, tmp_path: Path) -> None:
    """With a reason, and without a file; a playlist does not lead anywhere."""
    real = write_video(tmp_path / "real.ts", 5)
    index_missing = cut(write_video(tmp_path / "real.mp4", 5), 0.9)
    bad = {
        "empty.mp4": b"",
        "text.mp4": b"hello\n" * 200,
        "noise.avi": bytes(range(256)) * 40,
        "list.m3u8": f"#EXTM3U\n#EXTINF:1,\n{real}\n".encode(),
        "list.mp4": f"ffconcat version 1.0\nfile {real}\n".encode(),
        "cut.mp4": index_missing.read_bytes(),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=r"not a video|cut off"):
            inspect(crew, tmp_path / name, tmp_path / "out.mp4")
    with pytest.raises(DataError, match="not a file"):
        inspect(crew, tmp_path, None)
    with pytest.raises(DataError, match="not there"):
        inspect(crew, tmp_path / "nothing.mp4", None)
    assert not (tmp_path / "out.mp4").exists()


def test_too_many_pixels_are_refused_before_decoding(crew: Crew, tmp_path: Path) -> None:
    """As of a picture."""
    source = write_video(tmp_path / "a.mp4", 3)
    with pytest.raises(DataError, match="96 x 64 pixels are over 100"):
        inspect(crew, source, None, max_pixels=100)


def test_frames_between_show_the_last_boxes(crew: Crew, tmp_path: Path) -> None:
    """`every` saves work and no frame."""
    source = write_video(tmp_path / "a.mp4", 7)
    film, seen = inspect(crew, source, tmp_path / "out.mp4", every=3)
    assert [one.frame for one in seen] == [0, 3, 6]
    assert (film.frames, film.inspected) == (7, 3)
    assert inspect(crew, source, None, every=100)[0].inspected == 1


def test_odd_sides_and_small_frames_are_written(crew: Crew, tmp_path: Path) -> None:
    """Colour in MP4 has half the resolution; letters need some room."""
    source = write_video(tmp_path / "a.avi", 3, size=(401, 33), codec="mjpeg")
    film, _ = inspect(crew, source, tmp_path / "odd.mp4")
    assert (film.width, film.height) == (401, 33)
    assert frames_of(tmp_path / "odd.mp4")[0].size == (402, 34)
    inspect(crew, write_video(tmp_path / "b.mp4", 3, size=(16, 16)), tmp_path / "small.mp4")
    assert frames_of(tmp_path / "small.mp4")[0].size == (320, 320)


def test_a_phone_held_upright(crew: Crew, tmp_path: Path) -> None:
    """The file says that its frames lie on their side."""
    source = write_video(tmp_path / "a.mp4", 3, size=(96, 64))
    data = source.read_bytes()
    straight = bytes.fromhex("00010000 00000000 00000000 00000000 00010000")
    quarter = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000")
    at = data.index(straight, data.index(b"tkhd"))
    source.write_bytes(data[:at] + quarter + data[at + len(straight) :])
    with opened(source) as clip:
        _, first = next(clip.frames())
    assert first.size == (64, 96)
    right, left = first.getpixel((60, 48)), first.getpixel((4, 48))
    # A quarter to the right: what was above is on the right.
    assert right[0] > 150 > right[2] and left[2] > 150 > left[0]


def test_an_error_in_the_middle_leaves_no_video(crew: Crew, tmp_path: Path) -> None:
    """And not half of one in the place of an earlier one."""
    target = tmp_path / "out.mp4"
    target.write_bytes(b"before")

    def stop(moment: Moment) -> None:
        if moment.frame:
            raise KeyboardInterrupt

    source = write_video(tmp_path / "a.mp4", 12)
    with pytest.raises(KeyboardInterrupt):
        inspect_video(source, target, crew.look, stop, quiet)
    assert target.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]


def test_one_frame_is_in_memory_at_a_time(crew: Crew, tmp_path: Path) -> None:
    """The second is decoded when the first has been looked at."""
    order = []

    def look(picture: Image.Image) -> Any:
        order.append("look")
        return crew.look(picture)

    def progress(done: int, total: int, note: Any = "") -> None:
        order.append(f"{done}/{total}")

    source = write_video(tmp_path / "a.mp4", 3)
    inspect_video(source, None, look, quiet, progress, every=1)
    assert order == ["look", "1/3", "look", "2/3", "look", "3/3"]


def test_suffixes_are_not_those_of_pictures() -> None:
    """A file is one or the other."""
    from roadworthy.data import images

    assert not video.SUFFIXES & images.SUFFIXES
