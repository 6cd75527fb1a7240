"""Small videos for tests."""

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from PIL import Image

CONTAINERS = {
    "fast.mp4": ("libx264", {"movflags": "faststart"}),
    "pieces.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "a.mkv": ("libx264", {}),
    "a.avi": ("mpeg4", {}),
    "a.ts": ("libx264", {}),
    "a.mpg": ("mpeg2video", {}),
    "a.webm": ("libvpx-vp9", {}),
    "a.flv": ("libx264", {}),
}
"""Name to codec and options; all of them can be read without their end."""


def write_video(
    path: Path,
    frames: int = 30,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    rate: int = 25,
    sound: bool = False,
) -> Path:
    """Write noise that is different in each frame; the first has a red upper half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        if sound:
            _add_sound(container, frames / rate)
        for number in range(frames):
            frame = av.VideoFrame.from_image(picture(number, size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def picture(number: int, size: tuple[int, int]) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    if number == 0:
        coarse[:4], coarse[4:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(coarse).resize(size)


def cut(path: Path, share: float) -> Path:
    """The first part of a file, under another name."""
    data = path.read_bytes()
    target = path.with_name(f"cut_{path.name}")
    target.write_bytes(data[: int(len(data) * share)])
    return target


def frames_of(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def _add_sound(container: "av.container.OutputContainer", seconds: float) -> None:
    stream = container.add_stream("aac", rate=44_100)
    for start in range(0, int(seconds * 44_100), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate, frame.pts = 44_100, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
