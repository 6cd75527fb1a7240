import json
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy.container.builders import Builder, Image
from roadworthy.container.locked import Locked
from roadworthy.errors import BundleError
from roadworthy.pipeline import container as module
from roadworthy.pipeline.container import CONTENT, containerize
from roadworthy.pipeline.package import BENTO, PackageResult

ROOT = Path(__file__).parents[2]
PACKAGED = PackageResult(f"{BENTO}:abc", "champions:def", {"car": 3}, built=True)


class Store(Builder):
    """A builder that remembers images, and what was in the folder that each was built in."""

    def __init__(self) -> None:
        super().__init__("nothing")
        object.__setattr__(self, "images", {"base": Image("1", {}, 100)})
        object.__setattr__(self, "built", [])
        object.__setattr__(self, "bills", {})

    def image(self, name: str) -> Image | None:
        return self.images.get(name)  # type: ignore[attr-defined, no-any-return]

    def build(self, folder: Path, tags: object, arguments: object, labels: object) -> None:
        self.built.append((folder, arguments))  # type: ignore[attr-defined]
        for tag in tags:  # type: ignore[attr-defined]
            self.images[tag] = Image("2", labels, 400)  # type: ignore[attr-defined, arg-type]
            bill = (folder / "sbom.cdx.json").read_bytes()
            self.bills[tag] = bill  # type: ignore[attr-defined]

    def tag(self, image: str, name: str) -> None:
        self.images[name] = self.images[image]  # type: ignore[attr-defined]

    def take(self, image: str, paths: object, into: Path) -> None:
        if paths == ["/app/sbom.cdx.json"]:
            (into / "sbom.cdx.json").write_bytes(self.bills[image])  # type: ignore[attr-defined]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A packaged champion, a builder, and two packages in place of an index."""
    home = tmp_path / "bentoml"
    bento, model = home / "bentos" / BENTO / "abc", home / "models" / "champions" / "def"
    (bento / "src").mkdir(parents=True)
    (bento / "bento.yaml").write_text("creation_time: '2026-11-21T07:16:24+00:00'\n")
    (model / "car").mkdir(parents=True)
    entry = {"version": 3, "digest": "d" * 64, "files": {"model.onnx": "f" * 64}}
    (model / "champions.json").write_text(json.dumps({"car": entry}))
    made = Store()
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setattr(module.builders, "find", lambda name: made)
    monkeypatch.setattr(module, "lock", lambda: Locked("numpy==1\n", {}))
    monkeypatch.setattr(module, "install", lambda locked, folder: folder.mkdir())
    monkeypatch.chdir(ROOT)
    return made


def test_the_image_is_named_by_its_content(store: Store, tmp_path: Path) -> None:
    """And labelled with what is in it; the same again builds nothing."""
    out = tmp_path / "out"
    first = containerize(PACKAGED, base="base", out=out)
    assert first.built and first.megabytes == 400
    labels = store.images[first.name].labels  # type: ignore[attr-defined]
    assert first.name == f"roadworthy:{labels[CONTENT]}"
    assert json.loads(labels["roadworthy.models"]) == {"car": 3}
    assert labels["org.opencontainers.image.revision"]
    assert store.images["roadworthy:latest"].labels == labels  # type: ignore[attr-defined]
    bill = json.loads(first.sbom.read_text())
    assert {"machine-learning-model"} == {one["type"] for one in bill["components"]}
    again = containerize(PACKAGED, base="base", out=out)
    assert (again.name, again.built) == (first.name, False)
    assert store.built == [(out / ".context.tmp", {"BASE": "base"})]  # type: ignore[attr-defined]


def test_another_base_is_another_image(store: Store, tmp_path: Path) -> None:
    """A base that was renewed under its name gives a new image, with the security fixes in it."""
    first = containerize(PACKAGED, base="base", out=tmp_path)
    store.images["base"] = Image("9", {}, 100)  # type: ignore[attr-defined]
    assert containerize(PACKAGED, base="base", out=tmp_path).name != first.name


def test_a_name_of_ones_own_is_the_only_one(store: Store, tmp_path: Path) -> None:
    """An image for a registry does not move the local `latest`; other content replaces it."""
    assert containerize(PACKAGED, "mine:1", "base", out=tmp_path).name == "mine:1"
    assert "roadworthy:latest" not in store.images  # type: ignore[attr-defined]
    assert not containerize(PACKAGED, "mine:1", "base", out=tmp_path).built
    store.images["base"] = Image("9", {}, 100)  # type: ignore[attr-defined]
    assert containerize(PACKAGED, "mine:1", "base", out=tmp_path).built


def test_a_lost_bill_comes_back_from_the_image(store: Store, tmp_path: Path) -> None:
    """It need not be built again for that."""
    first = containerize(PACKAGED, base="base", out=tmp_path)
    bill = first.sbom.read_bytes()
    for spoil in (first.sbom.unlink, lambda: first.sbom.write_text("[1]")):
        spoil()
        assert not containerize(PACKAGED, base="base", out=tmp_path).built
        assert first.sbom.read_bytes() == bill


def test_a_champion_that_comes_back_is_the_latest(store: Store, tmp_path: Path) -> None:
    """Rolled back from B to A, nothing is built; name and bill of materials are A's again."""
    a = containerize(PACKAGED, base="base", out=tmp_path)
    bill = a.sbom.read_bytes()
    # The same Bento's folder will do: the tag alone makes other content.
    folder = tmp_path / "bentoml" / "bentos" / BENTO
    (folder / "abd").symlink_to(folder / "abc")
    b = containerize(replace(PACKAGED, tag=f"{BENTO}:abd"), base="base", out=tmp_path)
    assert b.built and b.name != a.name and b.sbom.read_bytes() != bill
    again = containerize(PACKAGED, base="base", out=tmp_path)
    assert (again.name, again.built) == (a.name, False)
    images = store.images  # type: ignore[attr-defined]
    assert images["roadworthy:latest"] == images[a.name] != images[b.name]
    assert again.sbom.read_bytes() == bill


def test_an_image_without_its_bill_is_named(store: Store, tmp_path: Path) -> None:
    """It was labelled by somebody else."""
    first = containerize(PACKAGED, base="base", out=tmp_path)
    first.sbom.unlink()
    store.take = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(BundleError, match=f"{first.name} has no /app/sbom"):
        containerize(PACKAGED, base="base", out=tmp_path)


def test_a_failed_build_leaves_the_earlier_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the list beside it says is still what is in the image that is there."""
    first = containerize(PACKAGED, base="base", out=tmp_path)
    bill = first.sbom.read_bytes()

    def fail(*_: object) -> None:
        raise BundleError("no space left")

    monkeypatch.setattr(Store, "build", fail)
    store.images["base"] = Image("9", {}, 100)  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="no space"):
        containerize(PACKAGED, base="base", out=tmp_path)
    assert first.sbom.read_bytes() == bill
    assert (tmp_path / "context" / "sbom.cdx.json").read_bytes() == bill
