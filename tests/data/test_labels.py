"""Labels are read, never guessed."""

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data.labels import Labels, Reading
from roadworthy.data.makes import ALIASES, MAKES, Names, fold
from roadworthy.errors import DataError
from roadworthy.params import Label

NAMES = Names(MAKES)
OPEN = Label.model_validate({"from": ["folder"]})
CLOSED = Label.model_validate({"classes": ["not_car", "car"]})
BRAND = Label.model_validate({"from": ["filename", "folder"]})


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Audi_A4_2019_00012", "Audi"),
        ("2012 BMW M3 coupe", "BMW"),
        ("mercedes-benz_c63", "Mercedes-Benz"),
        ("mercedes 190", "Mercedes-Benz"),
        ("VW golf 2015", "Volkswagen"),
        ("Land_Rover_Defender", "Land Rover"),
        ("LAND-ROVER discovery", "Land Rover"),
        ("2015 range rover sport", "Land Rover"),
        ("rover 75", "Rover"),
        ("Citroën C4", "Citroen"),
        ("ŠKODA_fabia", "Skoda"),
        ("landrover_x", "Land Rover"),
        ("alfaromeo147", "Alfa Romeo"),
        ("rollsroyce-ghost", "Rolls-Royce"),
        ("bmwm3", "BMW"),
        ("audia4", "Audi"),
        ("kia2019", "Kia"),
        ("2019audi", "Audi"),
        ("hondacivic", "Honda"),
        # As in Stanford Cars: the make comes first, and plain words give way.
        ("Hyundai Genesis Sedan 2012", "Hyundai"),
        ("FIAT 500 Abarth 2012", "Fiat"),
        ("Dodge Ram Pickup 3500 Crew Cab 2010", "Dodge"),
        ("AM General Hummer SUV 2000", "AM General"),
        ("Ram C-V Cargo Van Minivan 2012", "Ram"),
        ("Eagle Talon Hatchback 1998", "Eagle"),
        ("smart fortwo Convertible 2012", "Smart"),
        ("smart_crop_of_audi_a4", "Audi"),
    ],
)
def test_makes_are_read_from_names_as_people_write_them(name: str, make: str) -> None:
    """Whole words, accents folded, longest first, joined to a model."""
    assert NAMES.find(name) == make


@pytest.mark.parametrize(
    "name",
    """
    frame_001 IMG_0001 IMG_20190412_00991 dsc01234 camera seattle seattle2019 oxford minivan beagle
    fordable_car audio01 audit2 smartphone smartphone7 ramp01 jack1 astonished dodgers eagles
    lincolnshire lotusflower mgm1 vwx
    """.split(),  # noqa: SIM905
)
def test_what_only_looks_like_a_make_is_not_guessed(name: str) -> None:
    """A wrong label costs more than none: what matches nothing is listed."""
    assert NAMES.find(name) is None


SPELLINGS = st.sampled_from([*MAKES, *ALIASES])


@given(SPELLINGS, st.lists(st.sampled_from("_- .+"), min_size=1, max_size=3), st.randoms())
def test_separators_and_case_never_change_the_label(
    spelling: str, gaps: list[str], random: object
) -> None:
    """They differ between collections; the class must not."""
    gap = "".join(gaps)
    words = fold(spelling).split()
    for spelled in (gap.join(words), gap.join(words).upper(), gap.join(words).title()):
        assert NAMES.find(f"2012{gap}{spelled}{gap}00012") == NAMES.find(spelling)
        assert NAMES.find(spelled) == NAMES.find(spelling)


PARTS = {word for spelling in NAMES.spellings for word in spelling.split()}
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=9).filter(
    lambda word: word not in PARTS and NAMES.find(word) is None
)


@given(SPELLINGS, st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_a_make_among_other_words_is_found(
    spelling: str, before: list[str], after: list[str]
) -> None:
    """Wherever it stands in the name."""
    name = "_".join([*before, spelling, *after])
    assert NAMES.find(name) == NAMES.exact(spelling) == NAMES.find(spelling)


def test_a_class_is_known_by_all_spellings_of_its_make() -> None:
    """Also when the classes are called otherwise than here; aliases of params.yaml are added."""
    names = Names(["vw", "other"], {"beetle": "Volkswagen", "tin can": "other"})
    for name in ("Volkswagen_golf", "VW 1", "beetle_3"):
        assert names.find(name) == "vw"
    assert names.find("a tin-can") == "other"
    assert names.find("audi_a4") is None


def test_ways_are_tried_in_order(tmp_path: Path) -> None:
    """The first that gives a label counts; an image in the task's own folder is in no class."""
    touch(tmp_path, "ferrari/69.jpg", "ferrari/audi_69.jpg", "70.jpg")
    labels = Labels.of(BRAND, tmp_path)
    read = {name: labels.read(tmp_path / name).label for name in ("ferrari/69.jpg", "70.jpg")}
    assert read == {"ferrari/69.jpg": "Ferrari", "70.jpg": None}
    assert labels.read(tmp_path / "ferrari/audi_69.jpg").label == "Audi"
    turned = Label.model_validate({"from": ["folder", "filename"]})
    assert Labels.of(turned, tmp_path).read(tmp_path / "ferrari/audi_69.jpg").label == "Ferrari"


def test_folders_are_matched_to_the_classes_of_the_task(tmp_path: Path) -> None:
    """`Not Car` in somebody's collection is our `not_car`; other folders have no label here."""
    labels = Labels.of(CLOSED, tmp_path)
    for folder, label in (("Not Car", "not_car"), ("Car", "car"), ("NotCar", "not_car")):
        assert labels.read(tmp_path / "x" / folder / "1.jpg").label == label
    assert labels.read(tmp_path / "x/Boat/1.jpg").label is None
    assert labels.read(tmp_path / "car/boats/1.jpg").label is None


def test_folders_that_only_lay_a_collection_out_are_no_classes(tmp_path: Path) -> None:
    """`Train`, `images`: the folder above them counts, if it is below the task's."""
    labels = Labels.of(OPEN, tmp_path)
    assert labels.read(tmp_path / "ferrari/Train/images/1.jpg").label == "Ferrari"
    assert labels.read(tmp_path / "Test/1.jpg").label is None


def test_case_variants_are_one_class(tmp_path: Path) -> None:
    """A make has its own spelling; another class the one that most images carry."""
    touch(tmp_path, "a/LAND-ROVER/1.jpg", "b/land rover/1.jpg", "c/Land_Rover/1.jpg")
    touch(tmp_path, "a/Fire Truck/1.jpg", "b/fire_truck/1.jpg", "b/fire_truck/2.jpg")
    labels = Labels.of(OPEN, tmp_path)
    read = {p.parent.name: labels.read(p).label for p in tmp_path.rglob("*.jpg")}
    assert {label for name, label in read.items() if "over" in name.lower()} == {"Land Rover"}
    assert {label for name, label in read.items() if "fire" in name.lower()} == {"fire_truck"}


def test_a_table_goes_before_all_ways(tmp_path: Path) -> None:
    """The nearest one counts; an empty label takes the image out; groups come from it."""
    touch(tmp_path, "x/Car/1.jpg", "x/Car/2.jpg", "x/Car/3.jpg", "x/Car/4.jpg")
    (tmp_path / "labels.csv").write_text(
        "path,label,group\nx/Car/1.jpg,not_car,a\nx/Car/2.jpg,Not Car,\nx/gone.jpg,car,\n"
    )
    (tmp_path / "x/labels.csv").write_text("label,path\ncar,./Car/2.jpg\n,Car/3.jpg\n\n")
    labels = Labels.of(CLOSED, tmp_path)
    read = {n: labels.read(tmp_path / f"x/Car/{n}.jpg") for n in (1, 2, 3, 4)}
    assert read[1] == Reading("not_car", "a")
    assert read[2] == Reading("car", None)
    assert read[3] == Reading(None, None, taken_out=True)
    assert read[4] == Reading("car", None)
    assert [row.rpartition("/labels")[2] for row in labels.missing] == [".csv:4: x/gone.jpg"]


def test_with_csv_alone_nothing_else_gives_a_label(tmp_path: Path) -> None:
    """For collections whose folders mean something else."""
    touch(tmp_path, "Audi/audi.jpg", "Audi/bmw.jpg")
    (tmp_path / "labels.csv").write_text("path,label\nAudi/bmw.jpg,vw\n")
    labels = Labels.of(Label.model_validate({"from": ["csv"]}), tmp_path)
    assert labels.read(tmp_path / "Audi/audi.jpg").label is None
    assert labels.read(tmp_path / "Audi/bmw.jpg").label == "Volkswagen"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"file,label\n1.jpg,car\n", 1, "path and label"),
        (b"", 1, "path and label"),
        (b"path,label\n1.jpg,car\n1.jpg,not_car\n", 3, "line 2"),
        (b"path,label\n/etc/1.jpg,car\n", 2, "no path below"),
        (b"path,label\nC:\\1.jpg,car\n", 2, "no path below"),
        (b"path,label\n\n../1.jpg,car\n", 3, "no path below"),
        (b"path,label\n,car\n", 2, "no path below"),
        (b"path,label\n1.jpg,boat\n", 2, "not_car, car"),
        (b"path,label\n1.jpg\n", 2, "1 values"),
        (b"path,label\n1.jpg,car,more\n", 2, "3 values"),
        (b"path,label\n1.jpg,car\n\xe9.jpg,car\n", 3, "UTF-8"),
        (b'path,label\n"1.jpg,car\n', 2, "CSV"),
    ],
)
def test_a_wrong_table_is_one_message(tmp_path: Path, text: bytes, line: int, reason: str) -> None:
    """With file and line, and before anything is read by it."""
    (tmp_path / "labels.csv").write_bytes(text)
    with pytest.raises(DataError, match=rf"labels\.csv, line {line}: .*{reason}"):
        Labels.of(CLOSED, tmp_path)


def test_a_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Byte order mark, CRLF, upper-case header, other columns, quotes around a comma."""
    touch(tmp_path, "a, b.jpg")
    text = '\ufeffPath,Score,Label\r\n"a, b.jpg",0.5,car\r\n'
    (tmp_path / "labels.csv").write_text(text, newline="")
    labels = Labels.of(CLOSED, tmp_path)
    assert labels.read(tmp_path / "a, b.jpg").label == "car"
    assert not labels.missing


def test_a_path_outside_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """Its folders would mean nothing."""
    with pytest.raises(ValueError, match="not below"):
        Labels.of(CLOSED, tmp_path).read(PurePath("elsewhere/car/1.jpg"))


def test_reading_asks_the_disk_once_not_per_image(tmp_path: Path) -> None:
    """50,000 labels are a second's work: everything is known after `of`."""
    touch(tmp_path, "x/Car/1.jpg", "x/boat/2.jpg")
    (tmp_path / "x/labels.csv").write_text("path,label\nboat/2.jpg,not_car\n")
    labels = Labels.of(CLOSED, tmp_path)
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert labels.read(tmp_path / "x/Car/1.jpg").label == "car"
    assert labels.read(tmp_path / "x/boat/2.jpg").label == "not_car"
