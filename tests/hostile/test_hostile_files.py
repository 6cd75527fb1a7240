"""A service among hostile files: it refuses them, goes on, and does not grow."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from broken_files import PNG, encoded
from hostile.files import FINE, Case, corpus
from hostile.server import Server, packed, serving
from hostile.wire import Answer, ask, file, upload
from roadworthy.data.images import decode
from roadworthy.errors import DataError
from support import tiny_bundle

GROWTH = 40_000_000
"""Bytes that a process may have more after a round than after the one before: heaps have holes."""
DEAREST = 300_000_000
"""Bytes that one file may take while it is decoded, with 8 million pixels allowed."""
LABELS = {"car", "not_car"}


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return corpus(tmp_path_factory.mktemp("files"))


def send(server: Server, path: str, case: Case) -> Answer:
    """One file, as a browser sends it."""
    name = case.filename or ascii(case.name)[1:-1].replace('"', "").encode()
    [answer] = ask(server.port, upload(path, [file(case.content, name)]))
    return answer


def check(case: Case, answer: Answer) -> None:
    """The answer is one of those allowed, in its shape."""
    assert answer.word in case.allowed, (case.name, answer.status, answer.body[:500])
    assert answer.status in (200, 413, 422), case.name


def usual(server: Server) -> None:
    """A usual request is answered as ever."""
    answer = send(server, "/predict", Case("usual", PNG))
    [prediction] = answer.json()["predictions"]
    assert prediction["label"] in LABELS
    assert 0 <= prediction["probability"] <= 1


def test_there_are_enough(cases: list[Case]) -> None:
    """A corpus that shrinks unseen protects nobody."""
    assert len({case.content for case in cases}) >= 400
    assert len({case.filename for case in cases}) >= 25


def test_the_decoder_says_why(cases: list[Case]) -> None:
    """A `DataError` in a few words and nothing else; also of a JPEG that may come out smaller."""
    for case in cases:
        for at_least in (None, 20) if case.content[:2] == b"\xff\xd8" else (None,):
            try:
                decode(case.content, 8_000_000, at_least)
                word = "answered"
            except DataError as error:
                word = "unusable_image"
                assert 0 < len(str(error)) < 200, case.name
            assert word in case.allowed or case.allowed == {"too_large"}, case.name


def test_every_file_is_answered_or_refused(server: Server, cases: list[Case]) -> None:
    """No 5xx, no hang, no crash, no word about the inside; and the second round costs no memory."""
    for case in cases:
        check(case, send(server, "/predict", case))
    usual(server)
    first = server.memory
    for case in cases:
        check(case, send(server, "/predict", case))
    usual(server)
    assert server.memory - first < GROWTH
    assert server.peak - first < DEAREST
    assert "Traceback" not in server.output.read_text(errors="replace")


@pytest.mark.parametrize("path", ["/inspect", "/explain"])
def test_other_routes_refuse_them_too(server: Server, cases: list[Case], path: str) -> None:
    """Every way to the decoder is the same way."""
    for case in cases[::5]:
        check(case, send(server, path, case))
    usual(server)


def test_bad_files_beside_good_ones(server: Server, cases: list[Case]) -> None:
    """A request with one unusable file is refused as a whole, and names that one."""
    bad = [
        case for case in cases if case.allowed == {"unusable_image"} and len(case.content) < 9000
    ]
    for case in bad[::20]:
        parts = [file(PNG, b"good.png"), file(case.content, b"bad.png"), file(PNG, b"fine.png")]
        [answer] = ask(server.port, upload("/predict", parts))
        assert answer.word == "unusable_image"
        assert answer.json()["message"].startswith("bad.png: ")


@pytest.mark.slow
def test_as_large_as_they_may_be(tmp_path: Path) -> None:
    """The dear files in the size that a service allows by itself; three rounds on one server."""
    bundles = {"car": tiny_bundle(tmp_path / "champions" / "car")}
    cases = corpus(tmp_path / "files", 19_000_000)
    large = [case for case in cases if len(case.content) > 10_000_000]
    assert len(large) > 15
    memory = []
    champions = packed(tmp_path / "champions", bundles)
    with serving(champions, tmp_path / "output", threads=1) as server:
        for _ in range(3):
            for case in large:
                check(case, send(server, "/predict", case))
            usual(server)
            memory.append(server.memory)
    assert memory[2] - memory[1] < GROWTH


@pytest.mark.slow
def test_many_dear_ones_at_once(server: Server) -> None:
    """However many callers send them, no more are decoded at a time than there are cores."""
    picture = Image.new("F", (2800, 2800))
    case = Case("floats", encoded(picture, "TIFF", compression="tiff_lzw"), FINE)
    check(case, send(server, "/predict", case))
    before = server.memory
    with ThreadPoolExecutor(24) as callers:
        for answer in callers.map(lambda _: send(server, "/predict", case), range(48)):
            check(case, answer)
    usual(server)
    assert server.peak - before < (os.cpu_count() or 1) * DEAREST
    assert server.memory - before < GROWTH
