from collections.abc import Iterator
from pathlib import Path

import pytest

import toy_road
from prefect_server import Prefect

ROLLOUT = "import pathlib, sys; sys.exit(pathlib.Path('slow').exists() and 'no host answers' or 0)"


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Walked once."""
    return toy_road.make(tmp_path_factory.mktemp("road") / "it")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    prefect = Prefect(tmp_path_factory.mktemp("prefect"))
    try:
        prefect.serve()
        yield prefect
    finally:
        prefect.stop()


def ran(errors: str) -> list[str]:
    """The stages that did something, in order, as the log has them."""
    return [line.split("- RAN ", 1)[1] for line in errors.splitlines() if "- RAN " in line]


@pytest.mark.slow
def test_the_life_of_a_road(road: Path, prefect: Prefect, tmp_path: Path) -> None:
    """First champions; a rollout that fails and is made up for; a dirty checkout and bad data,
    each stopped where it should be; better models, each promoted once."""
    folder = toy_road.copied(road, tmp_path / "it")
    toy_road.settings(folder, "{wait_minutes: 0.5, gpu: false, rollout: [python, ship.py]}")
    (folder / "ship.py").write_text(ROLLOUT)
    toy_road.git(folder, "add", "-A")
    toy_road.git(folder, "commit", "-q", "-m", "Ship")

    def walk(*arguments: str) -> tuple[int, str, list[str]]:
        done = toy_road.run(folder, prefect.home, *arguments, api=prefect.api)
        return done.returncode, done.stdout + done.stderr, ran(done.stderr)

    (folder / "slow").write_text("1")
    code, said, _ = walk()
    assert code == 1 and "the rollout of roadworthy-service:" in said and "no host answers" in said
    assert toy_road.promotions(folder) == list(toy_road.TASKS), "decided is decided"

    (folder / "slow").unlink()
    code, said, stages = walk()
    assert code == 0 and not stages and "PROMOTE" not in said and "is not rolled out" in said

    toy_road.news(folder, "car")
    (folder / "ship.py").write_text("")
    code, said, stages = walk()
    assert code == 1 and "ERROR: not committed: ship.py" in said and not stages

    toy_road.git(folder, "checkout", "-q", "ship.py")
    (folder / "broken").write_text("train car")
    code, said, stages = walk()
    assert code == 1 and stages == ["train car"], "one try"
    assert "too many conflicting labels" in said.rsplit("ERROR: train failed", 1)[1]
    assert toy_road.promotions(folder) == list(toy_road.TASKS)

    (folder / "broken").unlink()
    (folder / "slow").unlink()
    code, said, stages = walk("--reason", "new images")
    assert code == 0 and stages == ["train car", "evaluate car", "export car"]
    assert toy_road.promotions(folder)[len(toy_road.TASKS) :] == ["car"]
    assert toy_road.git(folder, "log", "-1", "--format=%s") == "retrain: new images\n"
    assert toy_road.git(folder, "show", "--name-only", "--format=").split() == ["dvc.lock"]
    shown = {one["key"] for one in prefect.ask("/artifacts/filter")}
    assert {"stages", "decisions", "progress-train"} <= shown


@pytest.mark.slow
def test_a_night_without_news_needs_no_server(road: Path, tmp_path: Path) -> None:
    """Everything is champion and packaged: nothing is run, and the run says why."""
    folder = toy_road.copied(road, tmp_path / "it")
    (home := tmp_path / "prefect").mkdir()
    first = toy_road.run(folder, home)
    assert first.returncode == 0 and "PACKAGE police car brand detector" in first.stdout
    quiet = toy_road.run(folder, home, "--tasks", "car")
    assert quiet.returncode == 0 and "nothing was stale" in quiet.stdout
    assert "Completed('Skipped: nothing is stale for car.')" in quiet.stderr
    assert "PROMOTE" not in quiet.stdout and not ran(quiet.stderr)


def test_an_unknown_task_is_named(road: Path, tmp_path: Path) -> None:
    """A typing error costs no training."""
    done = toy_road.run(road, tmp_path, "--tasks", "cra")
    assert done.returncode == 1
    assert "no task is called 'cra'; params.yaml has police, car, brand, detector" in done.stderr
