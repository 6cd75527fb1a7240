import json
import shutil
from pathlib import Path

import pytest

from roadworthy.bundle.format import digest
from roadworthy.errors import BundleError
from roadworthy.serving.champions import load_champions, read_index
from roadworthy.serving.store import import_champions

Bundles = dict[str, Path]
# BentoML makes one at its first import.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    return tmp_path / "bentoml"


def folder(home: Path, tag: str) -> Path:
    return home / "models" / tag.replace(":", "/")


def test_what_was_imported_can_be_served(home: Path, bundles: Bundles) -> None:
    """Versions and bundles come back as they went in."""
    tag = import_champions({"car": (bundles["car"], 3), "brand": (bundles["brand"], 1)})
    champions = load_champions(folder(home, tag))
    assert {task: one.version for task, one in champions.items()} == {"car": 3, "brand": 1}
    assert champions["car"].predictor.spec.labels == ("not_car", "car")


def test_the_tag_is_made_of_the_content(home: Path, bundles: Bundles) -> None:
    """The same champions are one model; another version or bundle is another."""
    first = import_champions({"car": (bundles["car"], 3)})
    written = (folder(home, first) / "model.yaml").stat().st_mtime_ns
    assert import_champions({"car": (bundles["car"], 3)}) == first
    assert (folder(home, first) / "model.yaml").stat().st_mtime_ns == written
    assert import_champions({"car": (bundles["car"], 4)}) != first
    assert import_champions({"car": (bundles["brand"], 3)}) != first


def test_only_what_serving_needs_is_taken(home: Path, bundles: Bundles) -> None:
    """No torch weights in the image; the bundle keeps the digest that the registry knows."""
    place = folder(home, import_champions({"car": (bundles["car"], 3)}))
    names = {path.name for path in (place / "car").iterdir()}
    assert {"bundle.json", "model.onnx", "reference.json", "card.md"} <= names
    assert not names & {"weights.safetensors", "seen.npy"}
    entry = read_index(place)["car"]
    assert entry.digest == digest(bundles["car"])
    assert set(entry.files) == names
    assert load_champions(place)["car"].digest == entry.digest


def test_the_history_is_part_of_the_content(home: Path, bundles: Bundles) -> None:
    """A decision that moved nothing else still reaches the page."""
    champions = {"car": (bundles["car"], 3)}
    decision = {"at": "2026-11-01", "task": "car", "decision": "promoted", "version": 3}
    first = import_champions(champions)
    assert json.loads((folder(home, first) / "history.json").read_text()) == []
    second = import_champions(champions, history=[decision])
    assert second != first
    assert json.loads((folder(home, second) / "history.json").read_text()) == [decision]


def test_a_private_bundle_can_be_served_by_another_user(
    home: Path, bundles: Bundles, tmp_path: Path
) -> None:
    """The container's user owns nothing: the mode of a file in the registry's cache is not kept."""
    private = Path(shutil.copytree(bundles["car"], tmp_path / "private"))
    (private / "model.onnx").chmod(0o600)
    place = folder(home, import_champions({"car": (private, 3)}))
    assert (place / "car" / "model.onnx").stat().st_mode & 0o044


def test_latest_follows_a_rollback(home: Path, bundles: Bundles) -> None:
    """When the champion is an earlier one again, that one is what gets built and served."""
    old = import_champions({"car": (bundles["car"], 3)})
    new = import_champions({"car": (bundles["car"], 4)})
    latest = home / "models" / "champions" / "latest"
    assert f"champions:{latest.read_text()}" == new
    import_champions({"car": (bundles["car"], 3)})
    assert f"champions:{latest.read_text()}" == old


@pytest.mark.parametrize("harm", ["model.yaml", "champions.json", "history.json", "car/model.onnx"])
def test_a_killed_or_damaged_import_is_made_again(home: Path, bundles: Bundles, harm: str) -> None:
    """What a killed import leaves under the right name is not taken for the model."""
    tag = import_champions({"car": (bundles["car"], 3)})
    (folder(home, tag) / harm).unlink()
    assert import_champions({"car": (bundles["car"], 3)}) == tag
    assert load_champions(folder(home, tag))["car"].version == 3


def test_another_bundle_than_was_packaged_is_not_served(home: Path, bundles: Bundles) -> None:
    """A changed file in a packaged bundle stops the service instead of answering differently."""
    place = folder(home, import_champions({"car": (bundles["car"], 3)}))
    (place / "car" / "reference.json").write_text("changed")
    with pytest.raises(BundleError, match="not what was packaged"):
        load_champions(place)


def test_nothing_to_serve_is_an_error(home: Path, tmp_path: Path) -> None:
    """No champion, no index, a damaged index: said before anything starts."""
    with pytest.raises(BundleError, match="no champion"):
        import_champions({})
    with pytest.raises(BundleError, match=r"champions\.json is missing"):
        read_index(tmp_path)
    (tmp_path / "champions.json").write_text("{}")
    with pytest.raises(BundleError, match="holds no champions"):
        load_champions(tmp_path)
    (tmp_path / "champions.json").write_text('{"car": 3}')
    with pytest.raises(BundleError, match="cannot be used"):
        read_index(tmp_path)
