import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from roadworthy.data.images import decode
from roadworthy.data.reading import describe
from roadworthy.data.statistics import figures, measure


def photo(seed: int, size: tuple[int, int]) -> Image.Image:
    """Something with structure at every scale, as photos have."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size)
    for side in (4, 16, 64, 256):
        noise = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        layer = noise.resize(size, Image.Resampling.BICUBIC)
        image = layer if side == 4 else Image.blend(image, layer, 0.25)
    return image.filter(ImageFilter.GaussianBlur(0.5))


def encoded(image: Image.Image, kind: str, turn: int = 1) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[274] = turn
    image.save(buffer, kind, exif=exif, **({"quality": 90} if kind == "JPEG" else {}))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(640, 480), (70, 300), (1300, 900), (40, 30)])
def test_the_service_measures_what_the_manifest_says(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """Else an image served at another scale would look like drift."""
    content = encoded(photo(1, size), kind, turn=6)
    path = tmp_path / "image"
    path.write_bytes(content)
    manifest, _ = describe(path, 10**8)
    for scale in (64, 224, None):
        found = measure(decode(content, at_least=scale))
        assert found["aspect"] == manifest["aspect"] == size[1] / size[0]
        for name in found.keys() - {"aspect"}:
            if scale == 64 or kind != "JPEG":
                assert found[name] == manifest[name]
            elif name == "sharpness":
                assert found[name] == pytest.approx(manifest[name], rel=0.05)
            else:
                assert found[name] == pytest.approx(manifest[name], abs=0.004)


def test_figures_of_known_pixels() -> None:
    """Brightness of white is 1, a flat image has no contrast and no sharpness, red is red."""
    white = figures(np.full((64, 64, 3), 255, np.uint8))
    assert white["brightness"] == white["border_blue"] == pytest.approx(1)
    assert white["contrast"] == white["sharpness"] == pytest.approx(0)
    red = figures(np.full((64, 64, 3), (255, 0, 0), np.uint8))
    assert (red["red"], red["green"], red["blue"]) == (1, 0, 0)
    assert red["brightness"] == pytest.approx(0.299)
