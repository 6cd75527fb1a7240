"""An archive of strangers writes where it may, as much as it may, or nothing."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.data.sources import unpack as module
from roadworthy.data.sources.unpack import DamagedError, Limits, unpack
from roadworthy.errors import DataError

ROOMY = Limits(max_bytes=1e9)
GOOD = {"train/audi/1.jpg": b"one", "test/1.jpg": b"two", "readme.md": b"three"}


def zipped(path: Path, files: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tar_of(path: Path, **member: object) -> Path:
    info = tarfile.TarInfo("picture.jpg")
    for name, value in member.items():
        setattr(info, name, value)
    with tarfile.open(path, "w") as archive:
        archive.addfile(info)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_files_come_out_as_they_went_in(pack: object, tmp_path: Path) -> None:
    """Zip and tar; only what is wanted is written, and progress ends at the end."""
    archive = pack(tmp_path / "a", GOOD)  # type: ignore[operator]
    seen: list[tuple[int, int]] = []
    out = unpack(archive, tmp_path / "out", ROOMY, progress=lambda *now: seen.append(now))
    assert files_below(out) == GOOD
    assert seen[-1] == (3, 3)
    images = unpack(archive, tmp_path / "two", ROOMY, lambda path: path.suffix == ".jpg")
    assert set(files_below(images)) == {"train/audi/1.jpg", "test/1.jpg"}


def test_what_is_unpacked_is_not_unpacked_again(tmp_path: Path) -> None:
    """The folder appears only when it is complete."""
    out = unpack(zipped(tmp_path / "a", GOOD), tmp_path / "out", ROOMY)
    assert unpack(tmp_path / "no-such-archive", out, ROOMY) == out


OUTSIDE = [
    "../evil.jpg",
    "a/../../evil.jpg",
    "/evil.jpg",
    "..\\evil.jpg",
    "C:\\evil.jpg",
    "C:/e.jpg",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_outside_are_refused(pack: object, name: str, tmp_path: Path) -> None:
    """Even behind good ones, and even if that entry is not wanted: nothing of it is kept."""
    archive = pack(tmp_path / "a", {**GOOD, name: b"evil"})  # type: ignore[operator]
    before = files_below(tmp_path)
    with pytest.raises(DataError, match="refused as a whole"):
        unpack(archive, tmp_path / "in" / "out", ROOMY, lambda path: path.name != "evil.jpg")
    assert files_below(tmp_path) == before


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(st.sampled_from("ab./\\:\0 ~é"), min_size=1, max_size=12))
def test_no_name_leads_outside(name: str, tmp_path: Path) -> None:
    """Whatever is made of dots, slashes, colons and letters."""
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        path = module._inside(name, Path("a.zip"))
    except DataError:
        return
    target = (folder / path).resolve()
    assert target == folder or folder in target.parents


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices_in_a_zip_are_refused(kind: int, tmp_path: Path) -> None:
    """A link to a folder outside would take the next entry there."""
    archive = zipped(tmp_path / "a", {"x.jpg": b"/etc/passwd"}, kind | 0o777)
    with pytest.raises(DataError, match="link or a device"):
        unpack(archive, tmp_path / "out", ROOMY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    """Hard links too: they can name a file outside."""
    archive = tar_of(tmp_path / "a", type=kind, linkname="/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        unpack(archive, tmp_path / "out", ROOMY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    """By how much it grows; the disk never sees more than is allowed."""
    archive = zipped(tmp_path / "a", {"big.bmp": bytes(200 << 20)})
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="bomb"):
        unpack(archive, tmp_path / "out", ROOMY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_bomb_that_nobody_wants_is_stopped_too(tmp_path: Path) -> None:
    """What is skipped in a compressed tar is decompressed all the same; so is what follows it."""
    archive = tarred(tmp_path / "a", {"big.bin": bytes(100 << 20), "x.jpg": b"x"})
    with pytest.raises(DataError, match="bomb"):
        unpack(archive, tmp_path / "out", ROOMY, lambda path: path.suffix == ".jpg")
    plain = tar_of(tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(gzip.compress(plain + bytes(100 << 20)))
    with pytest.raises(DamagedError, match="after its end"):
        unpack(tmp_path / "b", tmp_path / "out", ROOMY)


def test_sizes_in_the_archive_are_not_believed(tmp_path: Path) -> None:
    """The directory of this zip says that there are 3 bytes."""
    data = bytearray(zipped(tmp_path / "a", {"big.bmp": bytes(100 << 20)}).read_bytes())
    truth = (100 << 20).to_bytes(4, "little")
    at = data.rfind(truth)
    data[at : at + 4] = (3).to_bytes(4, "little")
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError):
        unpack(tmp_path / "a", tmp_path / "out", ROOMY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_many_small_files_are_counted_together(tmp_path: Path) -> None:
    """`max_gb` is for the sum; another limit is for the number."""
    archive = zipped(tmp_path / "a", {f"{n}.jpg": bytes(1000) for n in range(30)})
    with pytest.raises(DataError, match="max_gb"):
        unpack(archive, tmp_path / "out", Limits(max_bytes=20_000))
    with pytest.raises(DataError, match="more than 10 entries"):
        unpack(archive, tmp_path / "out", Limits(max_bytes=1e6, max_files=10))
    assert unpack(archive, tmp_path / "out", Limits(30_000, 30)).is_dir()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.jpg", "a.jpg/b.jpg"])
def test_no_entry_replaces_another(second: str, tmp_path: Path) -> None:
    """The same name twice, or a file that is also a folder: which one is meant?"""
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("a.jpg", b"one")
        archive.writestr(second, b"two")
    with pytest.raises(DataError):
        unpack(tmp_path / "a", tmp_path / "out", ROOMY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), tar=st.booleans())
def test_a_damaged_archive_is_one_error(
    place: float, flip: int, tar: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever one byte is wrong: either all files are right, or it is refused; no traceback."""
    folder = tmp_path_factory.mktemp("damaged")
    archive = (tarred if tar else zipped)(folder / "a", GOOD)
    data = bytearray(archive.read_bytes())
    data[int(place * len(data))] ^= flip
    archive.write_bytes(data)
    try:
        out = files_below(unpack(archive, folder / "out", ROOMY))
    except DataError:
        assert sorted(p.name for p in folder.iterdir()) == ["a"]
    else:
        assert set(out.values()) <= set(GOOD.values()) and len(out) <= len(GOOD)


def test_a_truncated_archive_may_be_downloaded_again(tmp_path: Path) -> None:
    """Another error than a hostile one, which stays hostile."""
    archive = tarred(tmp_path / "a", {"x.jpg": bytes(range(256)) * 999})
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DamagedError):
        unpack(archive, tmp_path / "out", ROOMY)
    (tmp_path / "b").write_bytes(b"<html>please log in</html>")
    with pytest.raises(DamagedError, match="neither zip nor tar"):
        unpack(tmp_path / "b", tmp_path / "out", ROOMY)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    """There is nobody to ask for a password."""
    data = bytearray(zipped(tmp_path / "a", {"x.jpg": b"secret"}).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + offset] |= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DamagedError, match="encrypted"):
        unpack(tmp_path / "a", tmp_path / "out", ROOMY)


def test_paths_stay_as_they_are() -> None:
    """Backslashes of a careless packer become folders."""
    assert module._inside("a\\b\\c.jpg", Path("a.zip")) == PurePosixPath("a/b/c.jpg")
