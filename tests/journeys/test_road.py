"""What a person does end to end, on the small road of conftest.py."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from support import Run, free_port

TASKS = ("police", "car", "brand", "detector")
# The walk takes two minutes.
pytestmark = pytest.mark.slow
Walk = tuple[Path, Run]


def changed_stages(run: Run) -> set[str]:
    run("dvc", "repro", "plan")
    return set(json.loads(run("dvc", "status", "--json").stdout))


def edit(folder: Path, change: dict[str, object]) -> str:
    """Set keys of params.yaml given as dotted names; gives the text there was."""
    path = folder / "params.yaml"
    before = path.read_text()
    settings = yaml.safe_load(before)
    for name, value in change.items():
        *parents, last = name.split(".")
        place = settings
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_afterwards_nothing_is_stale_and_nothing_is_to_commit(walk: Walk) -> None:
    """Promotion and MLflow leave no trace among the versioned files."""
    _, run = walk
    assert "up to date" in run("dvc", "status").stdout
    assert run("git", "status", "--porcelain").stdout == ""


def test_a_second_walk_runs_nothing_and_promotes_nothing(walk: Walk) -> None:
    """`make run` twice costs seconds."""
    _, run = walk
    assert "Running stage" not in run("dvc", "repro").stdout
    assert run("roadworthy", "promote").stdout.count("unchanged") == len(TASKS)


def test_a_setting_reaches_only_what_depends_on_it(walk: Walk) -> None:
    """Also when it is a task's own, or a default that all tasks but one override."""
    folder, run = walk
    for change, wanted in (
        ({"tasks.car.evaluate": {"sure": 0.9}}, {"evaluate@car"}),
        # The stage before trains networks of its own where it mines; here it leaves its word again.
        ({"tasks.brand.train.lr": 0.5}, {"scenes@brand", "train@brand"}),
        ({"export.parity": 0.5}, {f"export@{task}" for task in TASKS}),
        ({"pretrain.epochs": 9}, {"pretrain"}),
    ):
        before = edit(folder, change)
        try:
            assert changed_stages(run) == wanted
        finally:
            (folder / "params.yaml").write_text(before)
            run("dvc", "repro", "plan")
    assert changed_stages(run) == set()


def test_a_mistyped_key_stops_before_any_work(walk: Walk) -> None:
    """And says the nearest name; what was made before stays."""
    folder, run = walk
    kept = contents(folder / "artifacts")
    before = edit(folder, {"train.epohcs": 3})
    try:
        done = run("dvc", "repro", ok=False)
    finally:
        (folder / "params.yaml").write_text(before)
    assert done.returncode != 0
    assert "epohcs" in done.stderr and "epochs" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder / "artifacts") == kept


def test_a_dead_tracking_server_costs_nothing(walk: Walk) -> None:
    """One message, and the trained model is still there."""
    folder, run = walk
    kept = contents(folder / "artifacts")
    dead = f"http://127.0.0.1:{free_port()}"
    for stage in ("train", "evaluate", "export"):
        target = f"{stage}@detector"
        done = run("dvc", "repro", "-f", "-s", target, ok=False, MLFLOW_TRACKING_URI=dead)
        assert done.returncode != 0
        assert "tracking server" in done.stderr and dead in done.stderr
        assert "Traceback" not in done.stderr
    assert contents(folder / "artifacts") == kept
    assert "up to date" in run("dvc", "status").stdout


def test_missing_images_are_one_clear_message(walk: Walk) -> None:
    """With the ways to get some."""
    folder, run = walk
    before = edit(folder, {"tasks.car.images": "data/cars"})
    try:
        run("roadworthy", "plan")
        done = run("roadworthy", "index", "--task", "car", ok=False)
    finally:
        (folder / "params.yaml").write_text(before)
        run("roadworthy", "plan")
    assert done.returncode == 1
    assert "data/cars" in done.stderr and "roadworthy add" in done.stderr


def test_images_changed_by_hand_are_never_taken_silently(walk: Walk) -> None:
    """`setup` compares first, and names both ways on."""
    folder, run = walk
    record = (folder / "data.dvc").read_bytes()
    victim = next((folder / "data/detector/car").iterdir())
    before = victim.read_bytes()
    victim.unlink()
    try:
        done = run("roadworthy", "setup", ok=False)
    finally:
        victim.write_bytes(before)
    assert done.returncode == 1
    assert "--accept" in done.stderr and "--restore" in done.stderr
    assert victim.name in done.stderr
    assert (folder / "data.dvc").read_bytes() == record
    run("roadworthy", "setup")


def test_lost_images_come_back(walk: Walk) -> None:
    """From DVC's cache, and without a cache by drawing the very same bytes."""
    folder, run = walk
    shutil.rmtree(folder / "data")
    assert "cache" in run("roadworthy", "setup").stdout
    shutil.rmtree(folder / "data")
    (folder / ".dvc/cache").rename(folder / "away")
    try:
        assert "drawn" in run("roadworthy", "setup").stdout
    finally:
        shutil.copytree(folder / "away", folder / ".dvc/cache", dirs_exist_ok=True)
    assert run("git", "status", "--porcelain", "--", "data.dvc").stdout == ""


def test_the_champion_answers_the_same_from_everywhere(walk: Walk) -> None:
    """200 images: command line, one batch, one by one, MLflow; the served Bento has a test of its own."""
    folder, run = walk
    images = sorted(str(p) for p in (folder / "data/car").rglob("*.*"))[:200]
    lines = run("roadworthy", "predict", "--task", "car", "--json", *images, ok=False).stdout
    asked = [json.loads(line) for line in lines.splitlines()]
    code = (
        "import sys, mlflow; from pathlib import Path\n"
        "from roadworthy.bundle.predictor import Predictor\n"
        "model = mlflow.pyfunc.load_model('models:/car@champion')\n"
        "bundle = Predictor(Path('artifacts/car/export'))\n"
        "paths = sys.argv[1:]\n"
        "tables = model.predict(paths), model.predict([Path(path).read_bytes() for path in paths])\n"
        "batch = bundle.predict(paths)\n"
        "for row, path in enumerate(paths):\n"
        "    alone = bundle.predict([path])[0].probability\n"
        "    print(*(t['probability'][row] for t in tables), batch[row].probability, alone)"
    )
    paths = [line["path"] for line in asked]
    assert len(paths) > 150  # a few of the walk's images are broken on purpose
    printed = run("python", "-c", code, *paths).stdout.strip().splitlines()[-len(paths) :]
    for line, answer in zip(printed, asked, strict=True):
        for value in map(float, line.split()):
            assert value == pytest.approx(answer["probability"], abs=1e-4)


def test_plots_need_no_network(walk: Walk) -> None:
    """DVC's own page loads its scripts from elsewhere and is blank without."""
    folder, run = walk
    run("dvc", "plots", "show", "-o", "plots")
    page = (folder / "plots/index.html").read_text()
    shutil.rmtree(folder / "plots")
    assert "vegaEmbed" in page and len(page) > 500_000
    assert '<script src="http' not in page


def test_metrics_are_declared(walk: Walk) -> None:
    """So that `dvc metrics show` and `diff` compare the tasks."""
    _, run = walk
    shown = json.loads(run("dvc", "metrics", "show", "--json").stdout)
    files = shown[""]["data"]
    for task in TASKS:
        figures = files[f"artifacts/{task}/evaluate/metrics.json"]["data"]
        assert 0 <= figures["test"]["accuracy"] <= 1


def test_own_images_are_a_new_version_and_the_old_one_comes_back(
    walk: Walk, tmp_path: Path
) -> None:
    """`add` copies, reads the labels, and records; git and DVC undo it."""
    folder, run = walk
    mine = tmp_path / "mine"
    for place, path in enumerate(sorted((folder / "data/car/street").rglob("*.jpg"))[:20]):
        target = mine / ["Not Car", "Car"][place % 2] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    said = run("roadworthy", "add", str(mine), "--task", "car", "--replace").stdout
    assert "10 car" in said and "10 not_car" in said
    assert sorted(p.name for p in (folder / "data/car").iterdir()) == ["mine"]
    assert "all of it already" in run("roadworthy", "add", str(mine), "--task", "car").stdout
    assert run("git", "status", "--porcelain", "--", "data.dvc").stdout
    run("git", "checkout", "data.dvc")
    run("dvc", "checkout", "--force", "data.dvc")
    assert (folder / "data/car/street").is_dir()


def test_images_without_a_label_of_the_task_are_refused(walk: Walk, tmp_path: Path) -> None:
    """Before anything is copied."""
    folder, run = walk
    boats = tmp_path / "boats" / "Boat"
    boats.mkdir(parents=True)
    shutil.copy(next((folder / "data/car/street").rglob("*.jpg")), boats)
    done = run("roadworthy", "add", str(boats.parent), "--task", "car", ok=False)
    assert done.returncode == 1
    assert "not_car, car" in done.stderr
    assert not (folder / "data/car/boats").exists()
