from datetime import UTC, datetime
from pathlib import Path

import pytest

from roadworthy import environment
from roadworthy.container import context
from roadworthy.container.context import Sources
from roadworthy.errors import BundleError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    bento, model = tmp_path / "bento", tmp_path / "models" / "champions" / "abc"
    (bento / "src" / ".bentoml").mkdir(parents=True)
    (bento / "env" / "docker").mkdir(parents=True)
    (bento / "bento.yaml").write_text("creation_time: '2026-11-21T07:16:24.654178+00:00'\n")
    (bento / "src" / "code.py").write_text("")
    (model / "car").mkdir(parents=True)
    (model / "car" / "model.onnx").write_bytes(b"x")
    (model / "car" / "model.onnx").chmod(0o600)
    return Sources(bento, model)


def test_everything_is_there_and_can_be_read(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user in the container owns nothing; a private file would stop the service."""
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "context"
    folder.mkdir(mode=0o700)
    context.fill(folder, sources)
    context.open_to_all(folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "Containerfile",
        "bento/bento.yaml",
        "bento/src/code.py",
        "models/champions/abc/car/model.onnx",
        "models/champions/latest",
    }
    assert (folder / "models/champions/latest").read_text() == "abc"
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in folder.rglob("*"))
    assert (sources.model / "car" / "model.onnx").stat().st_mode & 0o777 == 0o600


def test_the_time_is_that_of_the_bento(sources: Sources) -> None:
    """Not of the clock: the same Bento gives the same bill of materials."""
    assert sources.made == datetime(2026, 11, 21, 7, 16, 24, 654178, tzinfo=UTC)


def test_another_folder_is_named(project: Path) -> None:
    """Started in the wrong folder, it says so."""
    assert project
    with pytest.raises(BundleError, match=r"Containerfile cannot be read .* project's folder"):
        context.recipe()


def test_the_switches_are_those_of_everybody() -> None:
    """Telemetry is off in the image too, in the words that each tool obeys."""
    words = (ROOT / context.RECIPE).read_text().replace("\\\n", " ").split()
    given = dict(word.split("=", 1) for word in words if "=" in word)
    wanted = ("DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", "OMP_WAIT_POLICY")
    assert {name: given.get(name) for name in wanted} == {
        name: environment.SWITCHES[name] for name in wanted
    }
