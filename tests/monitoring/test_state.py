"""The history survives kills at any byte and is never rewritten."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.monitoring.state import NAME, Judged, Started, append, read

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
ONE = Judged(
    until=NOON,
    since=NOON - timedelta(hours=3),
    version=3,
    digest="d" * 64,
    images=500,
    enough=True,
    drifted=True,
    wants="retrain",
    new_labels=30,
    tests={"embedding": True, "refused": None},
)
MARK = Started(until=NOON, what="retrain")


def test_what_was_written_comes_back_in_the_order_of_the_moments(tmp_path: Path) -> None:
    """Also when days are judged afterwards; of one moment the last word counts."""
    later, earlier = (replace(ONE, until=NOON + timedelta(days=d)) for d in (1, -1))
    for entry in (ONE, MARK, later, earlier, replace(ONE, wants="nothing")):
        append(tmp_path, entry)
    found = read(tmp_path)
    assert found.judged == (earlier, replace(ONE, wants="nothing"), later)
    assert found.started == (MARK,)
    assert read(tmp_path / "nowhere").judged == ()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 700))
def test_a_line_torn_at_any_byte_costs_itself_only(tmp_path: Path, kept: int) -> None:
    """What is added after the kill stands on a line of its own."""
    path = tmp_path / NAME
    path.unlink(missing_ok=True)
    append(tmp_path, ONE)
    first = path.stat().st_size
    append(tmp_path, MARK)
    path.write_bytes(path.read_bytes()[: max(first - 1, kept)])
    append(tmp_path, replace(ONE, until=NOON + timedelta(days=1)))
    assert [one.until for one in read(tmp_path).judged][-1] == NOON + timedelta(days=1)
    assert read(tmp_path).judged[0] == ONE


def test_lines_of_other_versions_are_left_out(tmp_path: Path) -> None:
    """Rather than to stop on them."""
    append(tmp_path, ONE)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"until": "2026-11-04T00:00:00+00:00", "new": 1}\n[]\n{"until": 3}\n')
    append(tmp_path, MARK)
    assert read(tmp_path).judged == (ONE,) and read(tmp_path).started == (MARK,)
