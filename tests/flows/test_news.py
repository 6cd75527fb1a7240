import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flows.news import News, begin, judged, packaged

from flows import news
from roadworthy.bundle.format import digest
from roadworthy.layout import STAGES
from roadworthy.tracking import history


@dataclass
class Champion:
    """Of a registry that is not there."""

    number: int
    digest: str


@dataclass
class Registry:
    """Decisions of a store that is not there: it has tests of its own."""

    lines: list[history.Decision] = field(default_factory=list)
    pending: list[history.Decision] = field(default_factory=list)

    def decide(self, word: history.Verdict, of: str, before: int | None) -> None:
        """Add a line."""
        line = history.Decision("car", word, "Why.", before, 2, "2026-01-01T00:00", "me", of)
        self.lines.append(line)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    found = Registry()
    monkeypatch.setattr(history, "read", lambda task: found.lines)
    monkeypatch.setattr(history, "pending", lambda task: found.pending)
    return found


@pytest.fixture
def made(registry: Registry) -> str:
    """Digest of what `export` left."""
    folder = Path("artifacts/car/export")
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text("{}")
    return digest(folder)


def test_the_walk_begins_where_the_first_stage_is_stale() -> None:
    """What comes before cannot have changed; data that changed are the beginning."""
    assert begin(["export@car", "train@police"]) == STAGES[STAGES.index("train") :]
    assert begin(["pretrain"])[0] == "pretrain"
    assert begin(["data.dvc", "train@car"]) == STAGES
    assert begin([]) == ()


def test_a_champion_is_judged(made: str) -> None:
    """It is the exported model."""
    assert judged("car", {"car": Champion(1, made)})  # type: ignore[dict-item]
    assert not judged("car", {"car": Champion(1, "other")})  # type: ignore[dict-item]
    assert not judged("car", {})
    assert not judged("police", {}), "nothing was exported"


def test_a_refusal_holds_while_the_champion_stays(registry: Registry, made: str) -> None:
    """Else every night would ask the gate again; another champion is another question."""
    registry.decide("refused", made, 1)
    assert judged("car", {"car": Champion(1, "other")})  # type: ignore[dict-item]
    assert not judged("car", {"car": Champion(3, "other")})  # type: ignore[dict-item]
    registry.decide("failed", made, 1)
    assert not judged("car", {"car": Champion(1, "other")})  # type: ignore[dict-item]


def test_a_hand_over_that_was_cut_off_is_news(registry: Registry, made: str) -> None:
    """The gate's first step is to finish or to undo it."""
    registry.decide("promoted", made, None)
    registry.pending = registry.lines
    assert not judged("car", {"car": Champion(1, made)})  # type: ignore[dict-item]


def test_what_the_bento_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between promotion and packaging leaves the older champions in it."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert packaged() is None
    index = {"car": {"version": 3, "digest": "x"}}
    for store in ("models/champions", "bentos/roadworthy-service"):
        (tmp_path / store / "v1").mkdir(parents=True)
        (tmp_path / store / "latest").write_text("v1")
    (tmp_path / "bentos/roadworthy-service/v1/bento.yaml").touch()
    assert packaged() is None, "half a model"
    (tmp_path / "models/champions/v1/champions.json").write_text(json.dumps(index))
    assert packaged() == {"car": 3}


def test_news_say_what_they_are() -> None:
    """In the log and in the notice."""
    assert not News() and str(News()) == "nothing is stale"
    some = News(stale=("train@car", "a", "b", "c", "d"), unpackaged=True, waiting="s:1")
    assert some and str(some) == (
        "stale: train@car, a, b, c and 1 more; the Bento does not hold the champions; "
        "s:1 is not rolled out"
    )
    assert news.News(uncommitted=("dvc.lock",))
