"""An archive comes whole, as Kaggle says it is, or not at all."""

import random
from pathlib import Path

import pytest

from kaggle_server import KaggleServer
from roadworthy.data.sources import kaggle
from roadworthy.errors import DataError
from roadworthy.params import Card

DATA = random.Random(3).randbytes(3_000_000)
HANDLE = "somebody/cars"
CARD = Card(name="cars", kaggle=HANDLE, version=2)


def quiet(done: int, total: int, note: str = "") -> None:
    pass


@pytest.fixture
def offered(server: KaggleServer) -> KaggleServer:
    server.offer(HANDLE, 2, DATA)
    return server


def part() -> Path:
    path = kaggle.archive(CARD)
    return path.with_name(f"{path.name}.part")


def test_an_archive_is_downloaded_once(offered: KaggleServer) -> None:
    """With the account, in the pinned version; the second time Kaggle is not asked."""
    seen: list[tuple[int, int]] = []
    path = kaggle.download(CARD, lambda done, total, note="": seen.append((done, total)))
    assert path.read_bytes() == DATA
    assert offered.asked == ["DownloadDataset 2"]
    assert all(account.startswith("Basic ") for account in offered.accounts)
    assert seen == sorted(seen) and seen[-1][0] == seen[-1][1]
    assert kaggle.download(CARD, quiet) == path
    assert offered.asked == ["DownloadDataset 2"]


def test_a_broken_connection_is_taken_up_again(offered: KaggleServer) -> None:
    """From the byte where it broke, several times if need be."""
    offered.cuts = [1_000_000, None, 700_000]
    assert kaggle.download(CARD, quiet).read_bytes() == DATA
    starts = [int(asked.split()[1][:-1]) for asked in offered.asked if asked.startswith("bytes")]
    assert [start // kaggle.CHUNK for start in starts] == [1_000_000 // kaggle.CHUNK, 25]


def test_what_came_stays_for_the_next_call(offered: KaggleServer) -> None:
    """A person whose network is gone loses nothing."""
    offered.cuts = [100_000, *[None, 100_000] * kaggle.ATTEMPTS]
    with pytest.raises(DataError, match="goes on where it stopped"):
        kaggle.download(CARD, quiet)
    received = part().read_bytes()
    assert received and DATA.startswith(received) and not kaggle.archive(CARD).exists()
    offered.cuts = []
    assert kaggle.download(CARD, quiet).read_bytes() == DATA


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(offered: KaggleServer) -> None:
    """Appending its whole answer to the part would make an archive of neither."""
    offered.cuts, offered.ranges = [1_000_000], False
    assert kaggle.download(CARD, quiet).read_bytes() == DATA


@pytest.mark.parametrize("md5", ["AAAAAAAAAAAAAAAAAAAAAA==", None])
def test_a_part_of_another_archive_is_found_out(offered: KaggleServer, md5: str | None) -> None:
    """By the hash; without a hash, unpacking finds it."""
    part().parent.mkdir(parents=True)
    part().write_bytes(b"x" * 1000)
    offered.md5 = "" if md5 else None
    if md5 is None:
        assert len(kaggle.download(CARD, quiet).read_bytes()) == len(DATA)
        return
    with pytest.raises(DataError, match="damaged"):
        kaggle.download(CARD, quiet)
    assert not part().exists()
    assert kaggle.download(CARD, quiet).read_bytes() == DATA


def test_a_wrong_hash_is_refused(offered: KaggleServer) -> None:
    """Nothing is left that a later run would trust."""
    offered.md5 = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(DataError, match="damaged") as refused:
        kaggle.download(CARD, quiet)
    assert "run the command again" in str(refused.value)
    assert not kaggle.archive(CARD).exists() and not part().exists()


def test_too_much_is_refused_before_it_comes(offered: KaggleServer) -> None:
    """`max_gb` of the card."""
    small = CARD.model_copy(update={"max_gb": 0.001})
    with pytest.raises(DataError, match="max_gb"):
        kaggle.download(small, quiet)
    assert not part().exists()


def test_the_newest_version_is_told(offered: KaggleServer) -> None:
    """And nothing is downloaded for it."""
    offered.current = 7
    assert kaggle.newest(CARD) == 7
    assert offered.asked == ["GetDataset"]


def test_a_card_without_a_version_is_told_the_newest(offered: KaggleServer) -> None:
    """None is ever taken silently."""
    offered.current = 7
    with pytest.raises(DataError, match="is 7; say `version:`"):
        kaggle.download(CARD.model_copy(update={"version": None}), quiet)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_account_is_explained(offered: KaggleServer, status: int) -> None:
    """Where to make a token, and where to look at the collection."""
    offered.status = status
    with pytest.raises(DataError, match="refused the account") as refused:
        kaggle.download(CARD, quiet)
    assert f"datasets/{HANDLE}" in str(refused.value)
    assert "KAGGLE_KEY" in str(refused.value)
    assert offered.asked == ["DownloadDataset 2"]


def test_no_account_is_explained(offered: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for only where Kaggle wants one."""
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    assert kaggle.download(CARD, quiet).read_bytes() == DATA
    kaggle.archive(CARD).unlink()
    offered.status = 403
    with pytest.raises(DataError, match=r"none is set up.*kaggle\.json"):
        kaggle.download(CARD, quiet)
    assert offered.accounts == {""}


def test_a_broken_account_file_is_named(
    offered: KaggleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not a traceback of a JSON parser."""
    monkeypatch.delenv("KAGGLE_USERNAME")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/kaggle.json").write_text("{")
    with pytest.raises(DataError, match=r"kaggle\.json"):
        kaggle.newest(CARD)


def test_an_unknown_version_is_explained(offered: KaggleServer) -> None:
    """404 names handle and version."""
    with pytest.raises(DataError, match=f"no {HANDLE} in version 9"):
        kaggle.download(CARD.model_copy(update={"version": 9}), quiet)


def test_a_server_in_trouble_is_not_the_account(offered: KaggleServer) -> None:
    """500 means later."""
    offered.status = 500
    with pytest.raises(DataError, match="answered 500"):
        kaggle.newest(CARD)


def test_no_network_is_explained(offered: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="cannot be reached"):
        kaggle.download(CARD, quiet)
