"""Files appear whole, images are read or refused with a reason, and the network is told from the image."""

import os
import threading
from pathlib import Path

import pytest

from roadworthy.errors import DataError
from roadworthy.scoring.places import Place, UnreachableError, read_image
from support import free_port

MOST = 1000


@pytest.fixture(params=["here", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "here":
        return Place(str(tmp_path / "out"))
    return Place(f"{request.getfixturevalue('store')}/out")


def test_what_is_written_is_there(place: Place) -> None:
    """A folder here and one in a bucket behave alike."""
    assert place.names() == set()
    place.write("a.bin", b"one")
    place.write("below/b.bin", b"two")
    place.write("a.bin", b"three")
    assert place.names() == {"a.bin"}
    assert place.names("below") == {"b.bin"}
    assert place.read("a.bin").to_pybytes() == b"three"
    place.remove("a.bin")
    place.remove("a.bin")
    assert place.names() == set()


def test_a_half_written_file_is_never_seen(tmp_path: Path) -> None:
    """Readers look while writers write."""
    place, seen = Place(str(tmp_path)), set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            if "a.bin" in place.names():
                seen.add(len(place.read("a.bin")))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(50):
        place.write("a.bin", bytes(1 << 20))
    stop.set()
    reader.join()
    assert seen <= {1 << 20}


def test_what_a_killed_writer_left_is_tidied_up(tmp_path: Path) -> None:
    """It would lie there for ever."""
    (tmp_path / ".tmp-abc").write_bytes(b"half")
    place = Place(str(tmp_path))
    place.write("a.bin", b"one")
    place.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """Instead of a traceback of Arrow's."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be used"):
        Place(str(tmp_path / "file" / "out")).write("a", b"b")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.jpg", "cannot be read: No such file or directory"),
        ("circle.jpg", "cannot be read: Too many levels of symbolic links"),
        ("pipe.jpg", "not a file"),
        (".", "not a file"),
        ("large.jpg", "1,001 bytes are over 1,000"),
        ("nu\0ll", "cannot be read: not a path"),
        ("n" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_reason(name: str, reason: str, tmp_path: Path) -> None:
    """And nothing waits for a pipe, or reads a device without an end."""
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "large.jpg").write_bytes(bytes(MOST + 1))
    with pytest.raises(DataError) as refused:
        read_image(f"{tmp_path}/{name}", MOST)
    assert str(refused.value) == reason


def test_an_object_is_read_or_has_a_reason(store: str) -> None:
    """In the words that files have."""
    place = Place(store)
    place.write("fine.jpg", bytes(MOST))
    place.write("large.jpg", bytes(MOST + 1))
    assert read_image(f"{store}/fine.jpg", MOST) == bytes(MOST)
    refused = {"gone.jpg": "cannot be read: No such file", "large.jpg": "1,001 bytes are over"}
    for name, reason in refused.items():
        with pytest.raises(DataError, match=reason):
            read_image(f"{store}/{name}", MOST)
    with pytest.raises(DataError, match="cannot be read"):
        read_image("s3://no-such-bucket-here/a.jpg", MOST)


def test_a_store_that_does_not_answer_is_no_fault_of_the_image(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, then said so that a later run tries once more."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnreachableError, match="connect"):
        read_image(f"{store}/a.jpg", MOST, pauses=())
    with pytest.raises(DataError, match="AWS_ENDPOINT_URL"):
        Place(store).names()
