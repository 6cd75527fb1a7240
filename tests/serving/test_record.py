import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from records_made import record
from roadworthy.data.images import decode
from roadworthy.monitoring.reference import STATISTICS
from roadworthy.serving.record import NAME, facts, from_line, now, read, to_line

share = st.floats(0, 1)


@given(
    probabilities=st.dictionaries(st.text(), share, min_size=1),
    embedding=st.none() | st.lists(st.floats(-6e4, 6e4, width=32)),
    shadow=st.booleans(),
)
def test_a_record_comes_back(
    probabilities: dict[str, float], embedding: list[float] | None, shadow: bool
) -> None:
    """Whatever a label is called, on one line; probabilities to six digits."""
    given = None if embedding is None else np.array(embedding, np.float32)
    first = record(probabilities=probabilities, embedding=given, shadow=shadow)
    line = to_line(first)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    again = from_line(line)
    assert again.probabilities == pytest.approx(probabilities, abs=1e-6)
    if given is None:
        assert again.embedding is None
    else:
        assert again.embedding is not None and again.embedding.dtype == np.float16
        np.testing.assert_array_equal(again.embedding, given.astype(np.float16))
    for name in ("id", "at", "task", "version", "digest", "statistics", "bytes", "shadow"):
        assert getattr(again, name) == getattr(first, name)


def test_a_record_does_not_hold_the_whole_batch() -> None:
    """Ten thousand that wait would hold ten thousand batches."""
    batch = np.ones((16, 8), np.float32)
    embedding = record(embedding=batch[3]).embedding
    assert embedding is not None and embedding.base is None and embedding.dtype == np.float16
    assert np.isinf(record(embedding=np.array([1e9])).embedding).all()  # type: ignore[arg-type]


def test_what_is_no_number_is_refused() -> None:
    """It would make a line that is not JSON."""
    with pytest.raises(ValueError):
        to_line(record(probabilities={"car": float("nan")}))


def test_reading_skips_what_is_none(tmp_path: Path) -> None:
    """Torn, of another kind, of a later version with more fields."""
    later = json.loads(to_line(record(1))) | {"more": 1}
    torn = to_line(record(2))[:-30] + b"\n"
    strange = [b"[]\n", b"7\n", b'{"id": 1}\n', b"\xff\xfe\n", b"\n", torn]
    bad = json.loads(to_line(record(3))) | {"embedding": "%"}
    lines = [to_line(record(0)), *strange, json.dumps(later).encode() + b"\n"]
    lines += [json.dumps(bad).encode() + b"\n", to_line(record(4))]
    (tmp_path / f"{NAME}-1-a.jsonl").write_bytes(b"".join(lines))
    found = read(tmp_path)
    assert [int(one.id, 16) for one in found] == [0, 1, 4]
    assert found.torn == 6
    assert list(read(tmp_path / "nowhere")) == []


def test_a_table_of_records(tmp_path: Path) -> None:
    """The way to pandas that the documents show."""
    text = b"".join(to_line(record(n)) for n in range(3))
    (tmp_path / f"{NAME}-1-a.jsonl").write_bytes(text)
    table = pd.DataFrame(vars(one) | one.statistics for one in read(tmp_path))  # type: ignore[operator]
    assert len(table) == 3 and {"label", "brightness", "aspect"} <= set(table.columns)
    assert str(pd.to_datetime(table["at"]).dt.tz) == "UTC"


def test_facts_of_an_image() -> None:
    """Of the file and of the upright image, whatever the scale it was decoded at."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (600, 400), "white").save(buffer, "JPEG", exif=exif)
    content = buffer.getvalue()
    found = facts(content, decode(content, at_least=64))
    assert (found.width, found.height, found.format) == (400, 600, "JPEG")
    assert (found.bytes, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert tuple(found.statistics) == STATISTICS
    assert found.statistics["brightness"] == pytest.approx(1, abs=0.01)
    assert now().endswith("+00:00")
