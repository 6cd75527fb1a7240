"""No version of the data is made, taken or lost unsaid."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadworthy.data import staging, version
from roadworthy.data.listings import open_repo
from roadworthy.errors import DataError

# Of a library of DVC.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

GENERATED = {version.GENERATOR: {"seed": 1, "scale": 1.0}}


def draw(folder: Path, seed: int = 1, scale: float = 1.0) -> None:
    for name in ("car/x/car/1.jpg", "car/x/not_car/2.jpg", "brand/audi/3.jpg"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"{name} {seed} {scale}")


def files(folder: Path = version.DATA) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()
    }


def record() -> dict[str, Any]:
    return dict(yaml.safe_load(version.RECORD.read_text()))


def change_by_hand() -> None:
    (version.DATA / "car/x/car/new.jpg").write_text("new")
    (version.DATA / "car/x/not_car/2.jpg").unlink()
    (version.DATA / "brand/audi/3.jpg").write_text("other")


def repro(ok: bool = True) -> str:
    """What `dvc repro` of a stage that depends on `data/` and asks first prints."""
    Path("dvc.yaml").write_text(
        "stages: {index: {cmd: python -c 'from roadworthy.data import version; "
        "version.refuse_unaccepted()', deps: [data]}}"
    )
    done = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a recorded and accepted version."""
    folder = tmp_path_factory.mktemp("prepared") / "project"
    folder.mkdir()
    with contextlib.chdir(folder):
        subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
        draw(version.DATA)
        version.accept(GENERATED)
    return folder


@pytest.fixture
def repo(prepared: Path, project: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(prepared, project, dirs_exist_ok=True)
    return project


def test_the_first_version_says_what_is_in_it(repo: Path) -> None:
    """In `desc`, where DVC shows it; with the hash that was accepted."""
    found = record()
    assert found["outs"][0]["desc"] == "brand: 1 added; car: 2 added"
    assert found["meta"] == {**GENERATED, "accepted": found["outs"][0]["md5"]}


def test_what_is_right_is_left_alone(repo: Path) -> None:
    """`git status` stays clean: not a byte of data.dvc changes, whichever way data/ comes."""
    before, kept = files(), version.RECORD.read_bytes()
    assert "is the version" in version.ensure(draw)
    shutil.rmtree("data")
    assert "cache" in version.ensure(draw)
    assert (files(), version.RECORD.read_bytes()) == (before, kept)
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache")
    assert "drawn" in version.ensure(draw)
    assert (files(), version.RECORD.read_bytes()) == (before, kept)
    assert version.accept().changes == version.Changes()
    assert version.RECORD.read_bytes() == kept


def test_what_was_changed_by_hand_is_listed(repo: Path) -> None:
    """Each file by name, and both ways on; nothing is written."""
    kept = version.RECORD.read_bytes()
    change_by_hand()
    now = files()
    with pytest.raises(DataError) as refused:
        version.ensure(draw)
    said = str(refused.value)
    for name in (
        "1 added",
        "car/x/car/new.jpg",
        "1 removed",
        "not_car/2.jpg",
        "1 changed",
        "3.jpg",
    ):
        assert name in said
    assert "roadworthy setup --accept" in said and "roadworthy setup --restore" in said
    assert (files(), version.RECORD.read_bytes()) == (now, kept)


def test_dvc_repro_does_not_take_it_silently(repo: Path) -> None:
    """DVC rewrites data.dvc first; the stage stops, again and again, and `setup` does as well."""
    repro()
    before = record()
    change_by_hand()
    assert "new.jpg" in repro(ok=False)
    assert record()["outs"][0]["md5"] != before["outs"][0]["md5"]
    assert record()["meta"] == before["meta"]
    assert "1 removed" in repro(ok=False)
    with pytest.raises(DataError, match=r"new\.jpg"):
        version.ensure(draw)


def test_accepting_lets_the_road_go_on(repo: Path) -> None:
    """Before `dvc repro` or after it: the same new version, which says what changed."""
    change_by_hand()
    first = version.accept()
    assert first.message == "brand: 1 changed; car: 1 added, 1 removed"
    repro()
    version.restore(draw)
    (version.DATA / "car/x/car/later.jpg").write_text("later")
    repro(ok=False)
    second = version.accept()
    assert second.message == "car: 1 added" and second.hash != first.hash
    assert record()["outs"][0]["desc"] == second.message
    assert version.GENERATOR not in record()["meta"]
    assert "is the version" in version.ensure(draw)
    repro()


@pytest.mark.parametrize("after_repro", [False, True])
@pytest.mark.parametrize("cache", [True, False])
def test_restoring_brings_the_accepted_version_back(
    repo: Path, after_repro: bool, cache: bool
) -> None:
    """Images and data.dvc, byte for byte, also where they must be drawn; what was new is kept."""
    before, kept = files(), version.RECORD.read_bytes()
    change_by_hand()
    if after_repro:
        repro(ok=False)
    if not cache:
        shutil.rmtree(".dvc/cache")
    said = version.restore(draw)
    assert (files(), version.RECORD.read_bytes()) == (before, kept)
    assert str(version.ASIDE) in said
    aside = files(version.ASIDE)
    assert aside["car/x/car/new.jpg"] == "new" and aside["brand/audi/3.jpg"] == "other"
    if cache:
        assert len(aside) == 2
    repro()


def test_restoring_twice_keeps_both_lots(repo: Path) -> None:
    """What was put aside is never written over."""
    for text in ("first", "second"):
        (version.DATA / "car/x/car/new.jpg").write_text(text)
        version.restore(draw)
    assert files(version.ASIDE) == {"car/x/car/new.jpg": "first"}
    assert files(Path(f"{version.ASIDE}-2")) == {"car/x/car/new.jpg": "second"}


def test_what_cannot_be_restored_is_left(repo: Path) -> None:
    """Not drawn, and not in the cache: `dvc checkout --force` would delete all of it."""
    change_by_hand()
    version.accept()
    shutil.rmtree(".dvc/cache")
    now, kept = files(), version.RECORD.read_bytes()
    with pytest.raises(DataError, match="dvc fetch"):
        version.restore(draw)
    assert (files(), version.RECORD.read_bytes()) == (now, kept)


def test_a_record_without_the_accepted_hash_is_taken_as_it_is(repo: Path) -> None:
    """Of an older checkout, or of `dvc add`; a changed data/ is refused all the same."""
    text = yaml.safe_load(version.RECORD.read_text())
    del text["meta"]["accepted"]
    version.RECORD.write_text(yaml.safe_dump(text, sort_keys=False))
    kept = version.RECORD.read_bytes()
    assert "is the version" in version.ensure(draw)
    assert version.RECORD.read_bytes() == kept
    repro()
    change_by_hand()
    with pytest.raises(DataError, match=r"new\.jpg"):
        version.ensure(draw)
    repro()
    version.refuse_unaccepted()


def test_images_that_are_drawn_otherwise_are_put_aside(repo: Path) -> None:
    """Other code, or another Pillow."""
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache")
    with pytest.raises(DataError, match="drawn-differently"):
        version.ensure(lambda folder, seed, scale: draw(folder, seed + 1, scale))
    assert not version.DATA.exists() and len(files(Path("data.drawn-differently"))) == 3


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nouts:\n", "", "- a\n"])
def test_a_record_that_cannot_be_read_is_named(repo: Path, text: str) -> None:
    """A merge conflict, for one."""
    version.RECORD.write_text(text)
    with pytest.raises(DataError, match=r"data\.dvc cannot be read"):
        version.ensure(draw)


def test_a_change_is_a_version(repo: Path) -> None:
    """Files may be replaced in the copy; the files of the version before keep their content."""

    def edit(folder: Path) -> None:
        assert files(folder) == files()
        (folder / "car/x/car/1.jpg").unlink()
        (folder / "car/x/car/1.jpg").write_text("better")
        staging.copy(folder / "car/x/not_car/2.jpg", folder / "car/x/car/2.jpg")

    assert version.change(edit).message == "car: 1 added, 1 changed"
    assert files()["car/x/car/1.jpg"] == "better"
    assert "is the version" in version.ensure(draw)


@pytest.mark.parametrize("place", ["edit", "swap", "accept"])
def test_a_change_that_fails_is_none(
    repo: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever it fails, also by Ctrl-C."""
    before, kept = files(), version.RECORD.read_bytes()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    if place == "swap":
        monkeypatch.setattr(staging, "swap", fail)
    elif place == "accept":
        monkeypatch.setattr(version, "_write", fail)
    with pytest.raises(KeyboardInterrupt):
        version.change(fail if place == "edit" else lambda folder: shutil.rmtree(folder / "car"))
    assert (files(), version.RECORD.read_bytes()) == (before, kept)
    assert not staging.NEW.exists() and not staging.OLD.exists()


def test_two_changes_at_once_are_refused(repo: Path) -> None:
    """The second would be based on what the first is replacing."""
    with pytest.raises(DataError, match="another command"):
        version.change(lambda folder: version.change(lambda other: None) and None)
    assert "is the version" in version.ensure(draw)


def test_dvc_at_work_is_one_error(repo: Path) -> None:
    """Another command holds DVC's lock: no traceback, and the version that was."""
    before, kept = files(), version.RECORD.read_bytes()
    with open_repo().lock, pytest.raises(DataError, match="DVC refuses"):
        version.change(lambda folder: shutil.rmtree(folder / "car"))
    assert (files(), version.RECORD.read_bytes()) == (before, kept)


def test_the_first_images_may_come_by_a_change(repo: Path) -> None:
    """No data/ and no data.dvc before; a failure leaves neither."""
    shutil.rmtree("data")
    version.RECORD.unlink()
    with pytest.raises(ZeroDivisionError):
        version.change(lambda folder: 1 // 0 and None)
    assert not version.DATA.exists() and not version.RECORD.exists()
    made = version.change(lambda folder: draw(folder / "more"))
    assert made.message == "more: 3 added"
