import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from roadworthy.errors import BundleError
from roadworthy.pipeline import package as module
from roadworthy.pipeline.package import build, package
from roadworthy.tracking import history
from support import tiny_bundle

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    return tmp_path / "bentoml"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "car")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of BentoML's build: a Bento of one file."""

    def write(version: str, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "bento.yaml").write_text(version)

    monkeypatch.setattr(module, "_build", write)


def registry(monkeypatch: pytest.MonkeyPatch, champions: dict[str, tuple[Path, int]]) -> None:
    fake = SimpleNamespace(
        champion=lambda task: (
            SimpleNamespace(task=task, number=champions[task][1]) if task in champions else None
        ),
        bundle_folder=lambda version: champions[version.task][0],
    )
    monkeypatch.setattr("roadworthy.tracking.registry", fake, raising=False)
    monkeypatch.setitem(sys.modules, "roadworthy.tracking.registry", fake)  # type: ignore[arg-type]
    remembered(monkeypatch, [])


def remembered(monkeypatch: pytest.MonkeyPatch, decisions: list[history.Decision]) -> None:
    monkeypatch.setattr(history, "read", lambda: decisions)


def decided(decision: str, to: int | None, task: str = "car", **changes: str) -> history.Decision:
    values = {"reason": "because", "when": f"2026-11-{to or 1:02}T00:00:00Z", "who": "ada"}
    return history.Decision(task, decision, from_version=None, to_version=to, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.usefixtures("home", "quick")
def test_tasks_without_a_champion_are_left_out(
    monkeypatch: pytest.MonkeyPatch, bundle: Path
) -> None:
    """One task that was never promoted does not keep the others off the road."""
    registry(monkeypatch, {"car": (bundle, 3)})
    result = package(["car", "brand"])
    assert result.versions == {"car": 3}
    assert result.built
    assert not package(["car", "brand"]).built


@pytest.mark.usefixtures("home")
def test_no_champion_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty service is not packaged."""
    registry(monkeypatch, {})
    with pytest.raises(BundleError, match="no champion among car, brand: promote"):
        package(["car", "brand"])


@pytest.mark.usefixtures("home", "quick")
def test_a_task_that_was_named_must_have_a_champion(
    monkeypatch: pytest.MonkeyPatch, bundle: Path
) -> None:
    """Whoever asks for two tasks does not get an image that serves one."""
    registry(monkeypatch, {"car": (bundle, 3)})
    with pytest.raises(BundleError, match="no champion among brand: promote"):
        package(["car", "brand"], every=True)
    assert package(["car"], every=True).versions == {"car": 3}


def test_the_history_is_what_made_champions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the served tasks, oldest first, the newest fifty; what was refused moved nothing."""
    made = [
        decided("promoted", 1),
        decided("refused", 2),
        decided("promoted", 1, task="brand"),
        decided("forced", 3),
        decided("rolled_back", 1, reason="long " * 500),
    ]
    remembered(monkeypatch, made)
    found = module.decisions(["car"])
    assert [(one["decision"], one["version"]) for one in found] == [
        ("promoted", 1),
        ("forced", 3),
        ("rolled_back", 1),
    ]
    assert set(found[0]) == {"at", "task", "decision", "version", "reason"}
    assert len(found[2]["reason"]) == module.WORDS
    remembered(monkeypatch, made * 30)
    assert len(module.decisions(["car", "brand"])) == module.REMEMBERED


@pytest.mark.usefixtures("home", "quick")
def test_what_decides_about_the_bento_is_its_content(
    monkeypatch: pytest.MonkeyPatch, bundle: Path
) -> None:
    """A new decision about the same champion is a new Bento: the page shows it."""
    registry(monkeypatch, {"car": (bundle, 3)})
    first = package(["car"])
    remembered(monkeypatch, [decided("promoted", 3)])
    assert package(["car"]).tag != first.tag
    remembered(monkeypatch, [])
    assert (package(["car"]).tag, package(["car"]).built) == (first.tag, False)


@pytest.mark.usefixtures("home")
def test_the_trial_does_not_follow_the_operator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Settings of the service that will run, such as its log, are not used while it is built."""
    monkeypatch.setenv("ROADWORTHY_LOG", "/nowhere")
    code = "import os, sys; sys.exit(int('ROADWORTHY_LOG' in os.environ))"
    module._run(["-c", code], tmp_path, tmp_path)


def test_a_built_page_is_part_of_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes the page gets a new Bento, however its folder is included."""
    (tmp_path / "web" / "dist" / "assets").mkdir(parents=True)
    page = tmp_path / "web" / "dist" / "assets" / "index.js"
    page.write_text("1")
    monkeypatch.chdir(tmp_path)
    for pattern in ("web/dist", "web/dist/**", "web/dist/**/*"):
        (tmp_path / "bentofile.yaml").write_text(f"include: [{pattern}]\n")
        assert set(module._sources()) == {"bentofile.yaml", "web/dist/assets/index.js"}


@pytest.mark.usefixtures("quick")
def test_latest_follows_a_rollback(home: Path, bundle: Path) -> None:
    """When an earlier champion is back, its Bento is what `latest` means again."""
    latest = home / "bentos" / module.BENTO / "latest"
    old = build({"car": (bundle, 3)})
    new = build({"car": (bundle, 4)})
    assert f"{module.BENTO}:{latest.read_text()}" == new.tag != old.tag
    assert not build({"car": (bundle, 3)}).built
    assert f"{module.BENTO}:{latest.read_text()}" == old.tag


def test_a_failing_build_leaves_the_earlier_bento(
    home: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    """Fail closed: the message has BentoML's words, nothing half made is left, latest stays."""
    monkeypatch.chdir(_project(home.parent / "project", "pass"))
    kept = build({"car": (bundle, 3)})
    monkeypatch.undo()
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.chdir(_project(home.parent / "project", "raise ValueError('broken on purpose')"))
    with pytest.raises(BundleError, match="broken on purpose"):
        build({"car": (bundle, 4)})
    bentos = home / "bentos" / module.BENTO
    assert f"{module.BENTO}:{(bentos / 'latest').read_text()}" == kept.tag
    assert [path.name for path in bentos.iterdir() if path.is_dir()] == [kept.tag.split(":")[1]]
    assert not list(home.glob(".build-*"))


def test_a_bento_that_would_not_start_is_not_built(
    home: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was forgotten in `include` is found here and not by the first caller."""
    root = Path(__file__).parents[2]
    settings = (root / "bentofile.yaml").read_text()
    forgotten = "  - src/roadworthy/bundle/predictor.py\n"
    assert forgotten in settings
    (tmp_path / "bentofile.yaml").write_text(settings.replace(forgotten, ""))
    (tmp_path / "requirements-serve.txt").write_text("numpy\n")
    shutil.copytree(root / "src", tmp_path / "src")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"No module named 'roadworthy\.bundle\.predictor'"):
        build({"car": (bundle, 3)})
    assert not (home / "bentos" / module.BENTO).exists()


def _project(folder: Path, code: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "bentofile.yaml").write_text("service: broken:Service\ninclude: [broken.py]\n")
    (folder / "broken.py").write_text(code)
    return folder


@pytest.mark.usefixtures("home")
def test_another_folder_is_named(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started in the wrong folder, it says so."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"bentofile\.yaml cannot be read"):
        build({"car": (bundle, 3)})
