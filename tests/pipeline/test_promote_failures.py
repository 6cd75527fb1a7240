# ruff: noqa: F811
"""Whatever goes wrong while a model is judged: no alias moves, the trouble is written down."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promoting import (  # noqa: F401
    CAR,
    NOT_CAR,
    Export,
    aliases,
    any_store,
    bundles,
    export,
    pictures,
    plan,
    postgres_server,
    postgres_store,
    project,
    quick_commits,
    sha256,
    sqlite_file,
    sqlite_store,
    verdicts,
)
from roadworthy.errors import (
    BundleError,
    DataError,
    ParamsError,
    RoadworthyError,
    StaleError,
    TrackingError,
)
from roadworthy.pipeline.promote import promote
from roadworthy.tracking import registry, store
from support import free_port


def spoil_image(project: Path) -> None:
    path = project / "data/0003.png"
    path.write_bytes(b"not an image")
    table = pd.read_parquet(project / "artifacts/car/split/split.parquet")
    table.loc[3, "sha256"] = sha256(path)
    table.to_parquet(project / "artifacts/car/split/split.parquet")


def exchange_image(project: Path) -> None:
    shutil.copyfile(project / "data/0004.png", project / "data/0003.png")


def spoil_champion(project: Path) -> None:
    champion = registry.champion("car")
    assert champion is not None
    (registry.bundle_folder(champion) / "reference.json").write_text("changed")


def remove_export(project: Path) -> None:
    shutil.rmtree(project / "artifacts/car/export")


def another_task(project: Path) -> None:
    path = project / "artifacts/car/export/bundle.json"
    path.write_text(path.read_text().replace('"task": "car"', '"task": "police"'))


def no_test_rows(project: Path) -> None:
    path = project / "artifacts/car/split/split.parquet"
    pd.read_parquet(path).assign(split="train").to_parquet(path)


def damaged_split(project: Path) -> None:
    (project / "artifacts/car/split/split.parquet").write_bytes(b"not a table")


def no_verdict(project: Path) -> None:
    (project / "artifacts/car/validate/verdict.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (spoil_image, DataError, "test image data/0003.png: not an image"),
        (exchange_image, DataError, "data/0003.png is not the one that was split"),
        (spoil_champion, BundleError, "not what was registered"),
        (remove_export, StaleError, "dvc repro export@car"),
        (another_task, BundleError, "'police'"),
        (no_test_rows, DataError, "no test rows"),
        (damaged_split, RoadworthyError, "the promotion of car failed"),
        (no_verdict, StaleError, "verdict.json is missing"),
    ],
)
def test_what_cannot_be_judged_is_not_promoted(
    project: Path,
    export: Export,
    spoil: Callable[[Path], None],
    error: type[Exception],
    words: str,
) -> None:
    """Protects the champion from every kind of trouble, and writes the trouble down; force is no help."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    spoil(project)
    with pytest.raises(error, match=words):
        promote(plan(), force="" if spoil is spoil_champion else "whatever it takes")
    assert aliases()["champion"] == 1
    assert verdicts() == ["promoted", "failed"]
    written = json.loads((project / "artifacts/car/promote/decision.json").read_text())
    assert written["decision"] == "failed"
    assert words in written["reason"] or error is RoadworthyError


def test_a_decision_that_cannot_be_written_here_was_made_all_the_same(
    project: Path, export: Export
) -> None:
    """Protects the history from a `failed` beside the promotion that took place."""
    export(CAR)
    (project / "artifacts/car/.promote.tmp").write_text("in the way, as a full disk is")
    with pytest.raises(RoadworthyError, match="car is promoted, and the history has it, but"):
        promote(plan())
    assert verdicts() == ["promoted"]
    assert aliases() == {"champion": 1}


def test_force_replaces_a_champion_that_cannot_be_run(project: Path, export: Export) -> None:
    """Protects the way out when the only champion is damaged: by force, on record, against the floors."""
    export(NOT_CAR)
    promote(plan(floors={}))
    spoil_champion(project)
    export(CAR)
    decision = promote(plan(), force="its files are gone")
    assert decision.decision == "forced"
    assert "the champion could not be compared with" in decision.reason
    assert aliases()["champion"] == 2


def test_a_model_without_numbers_is_not_judged(project: Path, export: Export) -> None:
    """Protects against NaN, which compares false with every threshold and passes for the first class."""
    folder = export(CAR)
    spec = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**spec, "temperature": math.nan}))
    with pytest.raises(BundleError, match="gives no number for some images"):
        promote(plan())
    assert "champion" not in aliases()


def test_a_missing_figure_is_an_error(project: Path, export: Export) -> None:
    """Protects automation: exit 0 means that it was judged."""
    (export(CAR) / "seen.npy").unlink()
    with pytest.raises(DataError, match="cannot be judged: unseen: car/1: no record"):
        promote(plan())
    assert verdicts() == ["failed"]
    assert promote(plan(), force="a model from before the record").decision == "forced"


@pytest.mark.parametrize("settings", [{"floors": {"acuracy": 0.5}}, {"metric": "speed"}])
def test_a_gate_that_does_not_exist_stops(
    project: Path, export: Export, settings: dict[str, Any]
) -> None:
    """Protects against a misspelt floor, which would otherwise never be checked."""
    export(CAR)
    with pytest.raises(ParamsError, match=r"acuracy|speed"):
        promote(plan(**settings))
    assert aliases() == {}


def test_a_dead_server_is_one_clear_error(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects against a long wait and a traceback; what happened is still left in the files."""
    export(CAR)
    monkeypatch.setenv(store.VARIABLE, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TrackingError, match="does not answer"):
        promote(plan())
    written = json.loads((project / "artifacts/car/promote/decision.json").read_text())
    assert written["decision"] == "failed"


def test_an_interruption_is_a_failure_too(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the champion from Ctrl-C in the middle of the measuring."""
    export(CAR)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("roadworthy.pipeline.promote.drive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        promote(plan())
    assert "champion" not in aliases()
    assert verdicts() == ["failed"]
