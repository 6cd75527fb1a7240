import json
import shutil
from pathlib import Path

import pytest

from roadworthy.errors import BundleError
from roadworthy.serving.slim import needed

OPTIMISED = {
    "graph": "model.int8.onnx",
    "accuracy": 0.9,
    "accuracy_fp32": 0.9,
    "drop": 0.0,
    "difference": 0.01,
    "images": 10,
}


@pytest.fixture
def bundle(bundles: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles["car"], tmp_path / "car"))


def optimise(bundle: Path) -> Path:
    """Give a bundle a second graph."""
    spec = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**spec, "optimised": OPTIMISED}))
    shutil.copy(bundle / "model.onnx", bundle / "model.int8.onnx")
    return bundle


def graphs(bundle: Path, **options: str) -> set[str]:
    names = set(needed(bundle, **options))  # type: ignore[arg-type]
    return names & {"model.onnx", "model.int8.onnx", "weights.safetensors", "seen.npy"}


def test_one_graph_is_needed(bundle: Path) -> None:
    """The optimised one where it passed its gate; fp32 where somebody asks for it."""
    assert graphs(bundle) == {"model.onnx"}
    optimise(bundle)
    assert graphs(bundle) == {"model.int8.onnx"}
    assert graphs(bundle, engine="int8") == {"model.int8.onnx"}
    assert graphs(bundle, engine="onnx") == {"model.onnx"}


def test_a_graph_that_is_not_there_cannot_be_asked_for(bundle: Path) -> None:
    """No champion is served in 8 bits that did not pass its parity gate."""
    with pytest.raises(BundleError, match=r"car has no optimised graph .* use --engine auto"):
        needed(bundle, "int8")
    (bundle / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing: export car again"):
        needed(bundle)


def test_what_describes_and_searches_comes_along(bundle: Path) -> None:
    """Where it is there; what else lies in the folder does not."""
    for name in ("search.onnx", "suppress.onnx", "explain.onnx", "figures.json", "lineage.json"):
        (bundle / name).write_text("{}")
    (bundle / "notes.txt").write_text("x")
    found = set(needed(bundle))
    assert {"search.onnx", "suppress.onnx", "explain.onnx", "figures.json", "card.md"} <= found
    assert "notes.txt" not in found
