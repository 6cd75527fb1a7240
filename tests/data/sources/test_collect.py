"""Which files of a collection become images, under which label and name."""

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data.sources.cards import SHIPPED, load_cards, read_card, shipped
from roadworthy.data.sources.collect import _place, collect, label_of, put
from roadworthy.data.staging import copy
from roadworthy.errors import DataError, ParamsError
from roadworthy.params import Card, Label, parse

CAR = Label.model_validate({"from": ["folder"], "classes": ["not_car", "car"]})
BRAND = Label.model_validate({"from": ["filename", "folder"]})


def card(**values: Any) -> Card:
    return Card.model_validate({"name": "some", "folder": "x", **values})


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def brought(its: Card, root: Path, rule: Label, target: Path) -> dict[str, str]:
    put(collect(its, root, rule), target, copy)
    return {
        p.relative_to(target).as_posix(): p.read_text() for p in target.rglob("*") if p.is_file()
    }


def test_the_first_pattern_gives_the_label(tmp_path: Path) -> None:
    """At the top and below a wrapping folder, in any case; null and no match leave out."""
    its = card(labels={"*/toys/*": None, "*/cars/*": "car", "*/Dishes/*": "not_car"})
    root = fill(
        tmp_path / "in", "cars/1.JPG", "set/Cars/2.png", "toys/cars/3.jpg", "dishes/4.webp",
        "misc/5.jpg", "cars/readme.txt", "__MACOSX/cars/._1.jpg", "cars/.hidden.jpg",
    )  # fmt: skip
    assert brought(its, root, CAR, tmp_path / "out") == {
        "car/1.JPG": "cars/1.JPG",
        "car/2.png": "set/Cars/2.png",
        "not_car/4.webp": "dishes/4.webp",
    }


def test_the_same_name_in_two_folders_is_two_images(tmp_path: Path) -> None:
    """Both carry a mark, so that neither depends on which was met first; others keep their name."""
    its = card(labels={"*": "car"})
    root = fill(tmp_path / "in", "train/Audi/1.jpg", "test/Audi/1.JPG", "train/Audi/2.jpg")
    found = brought(its, root, CAR, tmp_path / "out")
    assert sorted(found.values()) == ["test/Audi/1.JPG", "train/Audi/1.jpg", "train/Audi/2.jpg"]
    assert found["car/2.jpg"] == "train/Audi/2.jpg"
    assert all(Path(name).name.startswith("1.") for name in found if "2.jpg" not in name)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.lists(st.sampled_from("aAbB1"), min_size=1, max_size=4).map(lambda p: PurePosixPath(*p)),
        st.sampled_from(["car", "Car", "not_car"]),
    )
)
def test_no_two_images_meet(labelled: dict[PurePosixPath, str]) -> None:
    """Also where a file system does not tell `A` from `a`."""
    places = _place(labelled)
    assert places.keys() == labelled.keys()
    assert len({str(place).casefold() for place in places.values()}) == len(places)


def test_without_patterns_the_task_reads_the_labels(tmp_path: Path) -> None:
    """The collection's folders stay; the name of the source never becomes a label."""
    names = ("Acura_ILX_2013_28.jpg", "more/2012 BMW M3 coupe.jpg", "IMG_0001.jpg")
    collected = collect(card(name="rover"), fill(tmp_path / "in", *names), BRAND)
    assert dict(collected.counts) == {"Acura": 1, "BMW": 1}
    assert set(map(str, collected.places.values())) == set(names[:2])
    assert collected.unlabelled == (PurePosixPath("IMG_0001.jpg"),)


def test_counts_are_checked(tmp_path: Path) -> None:
    """What was expected and what was found, of all that is wrong."""
    root = fill(tmp_path / "in", "cars/1.jpg", "cars/2.jpg", "dishes/1.jpg")
    labels = {"*/cars/*": "car", "*/dishes/*": "not_car"}
    assert collect(card(labels=labels, expect={"car": 2, "images": 3}), root, CAR)
    with pytest.raises(DataError, match="5 car and found 2; 4 images and found 3"):
        collect(card(labels=labels, expect={"car": 5, "not_car": 1, "images": 4}), root, CAR)


def test_a_label_that_the_task_does_not_know_is_refused(tmp_path: Path) -> None:
    """Else its images would end in quarantine, one by one."""
    with pytest.raises(DataError, match=r"'boat'.*not_car, car"):
        collect(card(labels={"*": "boat"}), fill(tmp_path / "in", "1.jpg"), CAR)


def test_a_card_that_fits_nothing_shows_what_is_there(tmp_path: Path) -> None:
    """So that its patterns can be corrected."""
    root = fill(tmp_path / "in", "vehicles/1.jpg", "vehicles/2.jpg", "notes.txt")
    with pytest.raises(DataError, match=r"\*/cars/\*.*vehicles \(2\)"):
        collect(card(labels={"*/cars/*": "car"}), root, CAR)


def test_the_cards_that_ship_are_good() -> None:
    """Each is called as its file, pins a version, and says of a licence what is known."""
    for name in shipped():
        its = read_card(SHIPPED / f"{name}.yaml")
        assert its.name == name and its.kaggle and its.version and its.licence and its.about


def test_no_vehicle_of_the_universal_set_is_called_not_a_car() -> None:
    """What may hold one is left out; its cars are cars."""
    (its,) = load_cards(["universal-embeddings"], "")
    trusted = {"apparel", "artwork", "dishes", "furniture", "packaged"}
    doubtful = {"illustrations", "landmark", "meme", "storefronts", "toys"}
    given = {n: label_of(its, PurePosixPath(n, "1.jpg")) for n in trusted | doubtful | {"cars"}}
    assert given["cars"] == "car"
    assert {n for n, label in given.items() if label == "not_car"} == trusted
    assert {n for n, label in given.items() if label is None} == doubtful
    assert label_of(its, PurePosixPath("toys/cars/1.jpg")) is None


def test_cards_come_by_name_by_path_and_inline(tmp_path: Path) -> None:
    """Three lines are enough for a collection of one's own."""
    file = tmp_path / "mine.yaml"
    file.write_text("{name: mine, kaggle: some/body, version: 3}")
    inline = parse(
        "tasks: {brand: {kind: multiclass, images: data/brand, sources: "
        "[car-connection, {name: own, kaggle: me/makes, version: 1}]}}"
    )
    sources = [*inline.tasks["brand"].sources, str(file)]
    assert [c.name for c in load_cards(sources, "")] == ["car-connection", "own", "mine"]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (["car-conection"], "car-connection"),
        (["nowhere/card.yaml"], "path of a card file"),
        (["car-connection", "car-connection"], "rename one"),
    ],
)
def test_a_wrong_source_is_explained(sources: list[str], said: str) -> None:
    """With the place in params.yaml."""
    with pytest.raises(ParamsError, match=said) as refused:
        load_cards(sources, "tasks.brand.sources")
    assert str(refused.value).startswith("tasks.brand.sources")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: x, kaggle: a/b, folder: c}", "either `kaggle` or `folder`"),
        ("{name: x}", "either `kaggle` or `folder`"),
        ("{name: ../x, folder: c}", "name"),
        ("{name: x, folder: c, labels: {'*': ../y}}", "labels"),
        ("{name: x, folder: c, licens: CC0}", "licens"),
        ("[", "YAML"),
    ],
)
def test_a_wrong_card_is_explained(text: str, said: str, tmp_path: Path) -> None:
    """A name or a label that leads out of its folder is no name."""
    file = tmp_path / "card.yaml"
    file.write_text(text)
    with pytest.raises(ParamsError, match=said) as refused:
        read_card(file)
    assert str(file) in str(refused.value)
