"""Champions that look at scenes. What the search itself finds is tested where it lives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixed_finder import Fixed
from roadworthy.bundle.predictor import Predictor
from roadworthy.scene.crew import Crew
from support import tiny_bundle

Finds = Callable[..., Any]


@pytest.fixture(scope="session")
def askers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    folder = tmp_path_factory.mktemp("askers")
    police = tiny_bundle(folder / "police", task="police", labels=("other", "police"))
    brand = tiny_bundle(folder / "brand", task="brand", labels=("Audi", "Citroën", "Škoda"))
    return {"police": Predictor(police), "brand": Predictor(brand)}


@pytest.fixture
def finds(askers: dict[str, Predictor]) -> Finds:
    """Makes a finder of relative boxes and falling scores."""
    spec = askers["police"].spec.model_copy(
        update={"task": "detector", "labels": ("background", "car")}
    )

    def make(*boxes: tuple[float, float, float, float], scores: list[float] | None = None) -> Any:
        falling = scores or np.linspace(0.95, 0.6, len(boxes)).tolist()
        return Fixed(spec, list(boxes), falling)

    return make


@pytest.fixture
def crew(finds: Finds, askers: dict[str, Predictor]) -> Crew:
    return Crew(finds((0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 0.9, 0.9)), askers, [], [])


@pytest.fixture
def photo(tmp_path: Path) -> Image.Image:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((200, 120))
