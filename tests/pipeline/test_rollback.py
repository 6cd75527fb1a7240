"""The verb `rollback`: what it says, and where the task is afterwards."""

from pathlib import Path

import pytest

from cheap_versions import cheap_version
from postgres import quick_commits, sqlite_file, sqlite_store  # noqa: F401
from roadworthy.errors import TrackingError
from roadworthy.pipeline import rollback
from roadworthy.tracking import handover, registry
from roadworthy.tracking.history import Decision


def test_it_says_where_the_task_is_now(
    sqlite_store: str,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Protects people under pressure: one line says from where to where, and what to do next."""
    with pytest.raises(TrackingError, match="nothing to go back to"):
        rollback.run("car")
    for number in (1, 2, 3):
        new, old = cheap_version(str(number)), registry.champion("car")
        before, when = old.number if old else None, "2026-11-21T07:12:00.000+00:00"
        decision = Decision("car", "promoted", "Better.", before, number, when, "ada")
        handover.hand_over(decision, old, new)
    decision = rollback.run("car", reason="it calls buses cars")
    assert (decision.from_version, decision.to_version) == (3, 2)
    said = capsys.readouterr().out
    assert said.startswith("car: Rolled back from car/3 to car/2: it calls buses cars\n")
    assert "roadworthy package" in said
    assert rollback.run("car", to=3).reason == "Rolled back from car/2 to car/3."
