"""Video, frame by frame: one frame is in memory at a time, however long it is. PyAV decodes and encodes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from roadworthy.data.images import MAX_PIXELS
from roadworthy.errors import DataError
from roadworthy.progress import Report
from roadworthy.scene.draw import draw
from roadworthy.scene.inspect import Scene

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"}
    | {".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv", ".mxf"}
)
# FFmpeg also takes playlists, which name other files and addresses, and draws text files.
FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg,mxf"
A_SECOND = 5
"""Frames of a second that are inspected where nothing else is asked for."""
USUAL_RATE = Fraction(25)
TICKS = 90_000
"""Of a second, for the times of the frames that are written."""
ENCODERS = ("libx264", "mpeg4")


@dataclass(frozen=True)
class Moment:
    """One inspected frame."""

    frame: int
    """Counted from 0."""
    seconds: float
    """Since the first frame."""
    scene: Scene


@dataclass(frozen=True)
class Film:
    """What became of one video."""

    width: int
    height: int
    frames: int
    """That could be decoded."""
    inspected: int
    every: int
    """Each so manieth frame was inspected."""
    seconds: float
    """Time of the last frame."""
    complete: bool
    """False: it is damaged or ends early; what could be decoded was inspected."""


class Clip:
    """The frames of an open video; `damaged` is known once they have been read."""

    def __init__(self, container: Any, stream: Any, max_pixels: int) -> None:
        self.container, self.stream, self.max_pixels = container, stream, max_pixels
        self.rate: Fraction = stream.average_rate or stream.guessed_rate or USUAL_RATE
        self.damaged = False
        self._end = 0.0

    def count(self) -> int:
        """About how many frames there are; 0 where the file does not say."""
        return int(self.stream.frames) or round(self._length() * self.rate)

    def frames(self) -> Iterator[tuple[float, Image.Image]]:
        """Seconds since the first frame, and the frame, upright, RGB; all of one size.

        Raises:
            DataError: a frame has too many pixels.
        """
        first = last = None
        size: tuple[int, int] | None = None
        for frame in self._decoded():
            if frame.width * frame.height > self.max_pixels:
                raise DataError(
                    f"{frame.width} x {frame.height} pixels are over {self.max_pixels:,}"
                )
            upright = _upright(frame)
            size = size or upright.size
            time = frame.time if frame.time is not None else (last or 0) + 1 / float(self.rate)
            first = time if first is None else first
            last = time
            yield time - first, upright if upright.size == size else upright.resize(size)
        if first is None or last is None:
            raise DataError("no frame of it can be decoded")

    def _decoded(self) -> Iterator[Any]:
        """Good frames; what is wrong with the others is noted."""
        import av

        for packet in self._packets():
            try:
                frames = packet.decode() if packet.stream is self.stream else []
            except av.FFmpegError:
                self.damaged = True
                continue
            self.damaged |= any(frame.is_corrupt for frame in frames)
            yield from (frame for frame in frames if not frame.is_corrupt)
        self.damaged |= self._ends_early()

    def _packets(self) -> Iterator[Any]:
        """Those of sound as well: only with them it shows where the file ends."""
        import av

        try:
            for packet in self.container.demux():
                self.damaged |= bool(packet.is_corrupt)
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None:
                    lasts = packet.duration * packet.time_base if packet.duration else 1 / self.rate
                    self._end = max(self._end, float(time * packet.time_base + lasts))
                yield packet
        except av.FFmpegError:
            self.damaged = True

    def _ends_early(self) -> bool:
        """Whether the file says that it is longer than what was in it."""
        if not self.container.duration:
            return False
        length = ((self.container.start_time or 0) + self.container.duration) / 1e6
        # FLV counts the encoder's delay in.
        frames = 4 if self.container.format.name == "flv" else 0.9
        return bool(length - self._end > frames / self.rate)

    def _length(self) -> float:
        """Seconds, as the file says; 0 where it does not."""
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        return float((self.container.duration or 0) / 1e6)


@contextmanager
def opened(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Clip]:
    """Open a video.

    Raises:
        DataError: it cannot be read, is no video, or has too many pixels.
    """
    if not path.is_file():
        raise DataError("cannot be read: not a file" if path.exists() else "is not there")
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from None
    with file, _container(file) as container:
        stream = container.streams.best("video")
        if stream is None:
            raise DataError("has no pictures, only sound")
        if stream.codec_context is None:
            raise DataError("no decoder knows it, or it is cut off inside its index")
        if stream.width * stream.height > max_pixels:
            raise DataError(f"{stream.width} x {stream.height} pixels are over {max_pixels:,}")
        stream.thread_type = "AUTO"
        yield Clip(container, stream, max_pixels)


def inspect_video(
    source: Path,
    target: Path | None,
    look: Callable[[Image.Image], Scene],
    seen: Callable[[Moment], None],
    progress: Report,
    every: int | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str = "car",
) -> Film:
    """Look at every so manieth frame, and write all frames with the boxes that were last found.

    Args:
        source: the video.
        target: the MP4 to write, without sound; None writes none.
        look: inspects one frame.
        seen: called with each inspected frame, in order.
        every: None is as many as make `A_SECOND`.
        name: what the finder finds.

    Raises:
        DataError: it is no video; one that ends early is no error.
    """
    with opened(source, max_pixels) as clip, _recording(target, clip.rate) as record:
        every = every or max(1, round(clip.rate / A_SECOND))
        expected, frames, inspected, seconds = clip.count(), 0, 0, 0.0
        for seconds, picture in clip.frames():
            if frames % every == 0:
                scene = look(picture)
                seen(Moment(frames, seconds, scene))
                inspected += 1
            if target:
                record(draw(picture, scene.cars, name), seconds)
            frames += 1
            progress(frames, max(frames, expected))
        return Film(*picture.size, frames, inspected, every, seconds, not clip.damaged)


@contextmanager
def _recording(
    target: Path | None, rate: Fraction
) -> Iterator[Callable[[Image.Image, float], None]]:
    """What writes frames to an MP4, which is there when the block ends without an error."""
    import av

    if target is None:
        yield lambda picture, seconds: None
        return
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with av.open(str(temporary), "w", format="mp4") as container:
            recorder = _Recorder(container, rate)
            yield recorder.add
            recorder.finish()
        os.replace(temporary, target)
    except av.FFmpegError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


class _Recorder:
    """Encodes pictures; the first one gives the size."""

    def __init__(self, container: Any, rate: Fraction) -> None:
        self.container, self.rate = container, rate
        self.stream: Any = None
        self.last = -1

    def add(self, picture: Image.Image, seconds: float) -> None:
        import av

        if self.stream is None:
            self.stream = self._begin(picture.size)
        # Colour has half the resolution: sides must be even.
        even = (picture.width + picture.width % 2, picture.height + picture.height % 2)
        plain = np.asarray(picture if even == picture.size else picture.resize(even))
        frame = av.VideoFrame.from_ndarray(plain, format="rgb24")
        self.last = max(round(seconds * TICKS), self.last + 1)
        frame.pts, frame.time_base = self.last, Fraction(1, TICKS)
        self.container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        if self.stream is not None:
            self.container.mux(self.stream.encode(None))

    def _begin(self, size: tuple[int, int]) -> Any:
        import av

        encoder = next(name for name in ENCODERS if name in av.codecs_available)
        options = {"crf": "23", "preset": "veryfast"} if encoder == ENCODERS[0] else {}
        stream = self.container.add_stream(encoder, rate=self.rate, options=options)
        stream.width, stream.height = (side + side % 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream


def _container(file: BinaryIO) -> Any:
    import av

    options = {"format_whitelist": FORMATS}
    try:
        return av.open(file, container_options=options, io_open=_nothing_else)
    except (av.FFmpegError, OSError):
        raise DataError("not a video, or cut off before its index") from None


def _upright(frame: Any) -> Image.Image:
    picture: Image.Image = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _nothing_else(url: str, flags: int, options: object) -> Any:
    """A video is one file; whatever names another one is not opened."""
    raise PermissionError(1, f"it wants to open {url}")
