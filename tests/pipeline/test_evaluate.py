"""The test drive as people take it: files, the run in MLflow, and the same bytes again."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from roadworthy import params
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.figures import read_figures
from roadworthy.bundle.predictor import Predictor
from roadworthy.data import cached
from roadworthy.data.transforms import centre
from roadworthy.params import Export
from roadworthy.pipeline import compare, evaluate, export, plan, train
from roadworthy.tracking import registry, store
from small_training import SETTINGS, write_cache

QUICK = {"bootstrap": 100, "stress": 8, "explain": 1, "gallery": 4}
# What DVC tracks of the stage.
TRACKED = (
    "calibration.json",
    "card.md",
    "confusion.csv",
    "metrics.json",
    "pictures",
    "predictions.parquet",
    "tables",
)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is trained, evaluated and exported."""
    folder = tmp_path_factory.mktemp("evaluated")
    settings = yaml.safe_load(SETTINGS)
    settings["tasks"]["car"]["evaluate"] = QUICK
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    (folder / "data.dvc").write_text(f"outs: [{{md5: {'d' * 32}.dir, path: data}}]")
    write_cache(folder / "made")
    (folder / "artifacts/car").mkdir(parents=True)
    shutil.move(folder / "made/cache", folder / "artifacts/car/prepare")
    measured(folder / "artifacts/car/prepare/rows.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(store.VARIABLE, f"sqlite:///{folder}/mlflow.db")
        plan.run()
        train.run(the_plan())
        evaluate.run(the_plan())
        export.run(the_plan())
    return folder


@pytest.fixture
def project(walked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The walked project as the current folder."""
    monkeypatch.chdir(walked)
    monkeypatch.setenv(store.VARIABLE, f"sqlite:///{walked}/mlflow.db")
    return walked


def measured(path: Path) -> None:
    """Give the rows what the manifest measures of each image."""
    rows = pd.read_parquet(path)
    rng = np.random.default_rng(0)
    names = ("brightness", "sharpness", "aspect", "contrast")
    colours = ("red", "green", "blue", "border_red", "border_green", "border_blue")
    numbers = {name: rng.uniform(size=len(rows)) for name in (*names, *colours)}
    rows = rows.assign(**numbers, width=24, height=24, bytes=rng.integers(9, 99, len(rows)))
    rows.assign(source="drawn", format="PNG", mode="L").to_parquet(path)


def the_plan() -> params.TaskPlan:
    return params.load_plan(Path("artifacts/plan/car.yaml"))


def digests(folder: Path) -> dict[str, str]:
    files = [p for name in TRACKED for p in sorted((folder / name).rglob("*")) or [folder / name]]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


def test_the_same_model_gives_the_same_bytes(project: Path) -> None:
    """Protects dvc.lock: a clock, a run's id or a measured speed in these would change it each time."""
    before = digests(project / "artifacts/car/evaluate")
    assert len(before) > 12
    evaluate.run(the_plan())
    assert digests(project / "artifacts/car/evaluate") == before


def test_parts_can_be_switched_off(project: Path) -> None:
    """Protects the zeros that the settings allow; blank images are asked about all the same."""
    plan = the_plan()
    none = plan.evaluate.model_copy(update={"stress": 0, "explain": 0, "gallery": 0})
    evaluate.run(plan.model_copy(update={"evaluate": none}))
    folder = project / "artifacts/car/evaluate"
    assert len(pd.read_csv(folder / "tables/stress.csv")) == 0
    assert "blank, noise" in pd.read_csv(folder / "tables/behaviour.csv")["check"].tolist()
    assert not (folder / "pictures/errors.png").exists()
    evaluate.run(plan)


def test_thresholds_and_temperature_come_from_validation_alone(project: Path) -> None:
    """Protects the figures: what was fitted on the test split is no test."""
    before = json.loads(Path("artifacts/car/evaluate/calibration.json").read_text())
    path = Path("artifacts/car/prepare/rows.parquet")
    kept = path.read_bytes()
    rows = pd.read_parquet(path)
    test = rows["split"] == "test"
    turned = rows["target"].where(~test, 1 - rows["target"])
    try:
        rows.assign(target=turned).to_parquet(path)
        evaluate.run(the_plan())
        after = json.loads(Path("artifacts/car/evaluate/calibration.json").read_text())
        accuracy = json.loads(Path("artifacts/car/evaluate/metrics.json").read_text())["test"]
    finally:
        path.write_bytes(kept)
        evaluate.run(the_plan())
    assert after == before
    assert accuracy["accuracy"] < 0.5


def test_everything_is_in_the_run(project: Path) -> None:
    """Protects the comparison of ten runs in MLflow: which is better, and where."""
    (run,) = store.client().search_runs([store.experiment("car")])
    keys = set(run.data.metrics)
    for key in (
        "test/accuracy",
        "test/accuracy_low",
        "test/ece_before",
        "class/car/recall",
        "slice/label car",
        "slice/brightness low",
        "stress/blur_2",
        "stress/mean",
        "behaviour/mirrored",
        "speed/latency_ms",
        "baseline/accuracy",
    ):
        assert key in keys, key
    assert not any(key.startswith("val/ece") for key in keys)
    client, run_id = store.client(), run.info.run_id
    files = {file.path for file in client.list_artifacts(run_id)}
    assert {"evaluate", "predictions.json", "images"} <= files
    below = {file.path for file in client.list_artifacts(run_id, "evaluate")}
    assert {"evaluate/report.html", "evaluate/card.md", "evaluate/metrics.json"} <= below


def test_the_card_of_the_model_tells_what_only_the_run_knows(project: Path) -> None:
    """Protects the card: lineage and speed differ from machine to machine, so DVC's copy has them not."""
    plain = Path("artifacts/car/evaluate/card.md").read_text()
    (logged,) = project.rglob("artifacts/bundle/card.md")
    full = logged.read_text()
    assert "git commit" not in plain.lower()
    assert len(full) > len(plain)
    assert plain.splitlines()[:5] == full.splitlines()[:5]
    assert "ms" in full.partition("## Speed and size")[2]


def test_the_bundle_knows_what_it_has_seen(project: Path) -> None:
    """Protects the gate: training and validation images, none of the test."""
    rows = pd.read_parquet("artifacts/car/prepare/rows.parquet")
    seen = np.load(Path("artifacts/car/export") / bundle_format.SEEN)
    assert len(seen) == (rows["split"] != "test").sum()
    assert not (Path("artifacts/car/export") / bundle_format.CARD).exists()


def test_the_graph_in_8_bits_was_judged_on_the_test_split(project: Path) -> None:
    """Protects the gate of `export`: what it judged is what is logged, and what answers."""
    (logged,) = project.rglob("artifacts/bundle/bundle.json")
    spec = bundle_format.read_spec(Path("artifacts/car/export"))
    assert spec == bundle_format.read_spec(logged.parent)
    assert (logged.parent / bundle_format.OPTIMISED).is_file() == bool(spec.optimised)
    data = cached.load(Path("artifacts/car/prepare"))
    test = data.places("test")
    predictor = Predictor(logged.parent)
    said = predictor.decide(predictor.probabilities(centre(data.pixels(test), data.input)))
    right = float((said == data.targets(test)).mean())
    assert predictor.engine == ("int8" if spec.optimised else "onnx")
    if spec.optimised:
        assert spec.optimised.images == len(test)
        assert spec.optimised.accuracy == right
        assert spec.optimised.accuracy_fp32 == pytest.approx(spec.metrics["accuracy"], abs=1e-6)


def test_without_the_setting_there_is_no_graph_in_8_bits(project: Path, tmp_path: Path) -> None:
    """Protects `export.optimise: null`; a bundle that cannot have one says why and is exported."""
    bundle = Path(shutil.copytree("artifacts/car/export", tmp_path / "bundle"))
    (bundle / bundle_format.OPTIMISED).unlink(missing_ok=True)
    trained = train.load(the_plan())
    plain = the_plan().model_copy(update={"export": Export(optimise=None)})
    assert "export.optimise is null" in export.optimised(plain, trained, bundle)
    assert not (bundle / bundle_format.OPTIMISED).exists()
    (bundle / bundle_format.GRAPH).write_bytes(b"odd")
    assert "cannot be quantised" in export.optimised(the_plan(), trained, bundle)
    assert not (bundle / bundle_format.OPTIMISED).exists()


def test_the_bundle_tells_what_was_measured(project: Path) -> None:
    """Protects the page's Models view: the figures of this evaluation, here and in the registry."""
    (logged,) = project.rglob("artifacts/bundle/figures.json")
    found = read_figures(logged.parent)
    spec = bundle_format.read_spec(logged.parent)
    assert found == read_figures(Path("artifacts/car/export"))
    assert found.figures["accuracy"].value == spec.metrics["accuracy"]
    assert found.figures["accuracy"].low == spec.metrics["accuracy_low"]
    assert len(found.curve) >= 101 and spec.threshold in [one.threshold for one in found.curve]
    assert found.confusion is not None
    assert sum(map(sum, found.confusion.counts)) == spec.rows["test"]
    assert sum(one.images for one in found.reliability) == spec.rows["test"]


def test_two_models_are_compared_on_the_images_of_today(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects `roadworthy compare`: a run by its id, the exported bundle by that word."""
    rows = pd.read_parquet("artifacts/car/prepare/rows.parquet")
    Path("artifacts/car/split").mkdir(exist_ok=True)
    rows.to_parquet("artifacts/car/split/split.parquet")
    (run,) = store.client().search_runs([store.experiment("car")])
    page = compare.run(the_plan(), run.info.run_id, "export")
    assert "accuracy" in capsys.readouterr().out
    text = page.read_text()
    assert f"run {run.info.run_id[:8]}" in text and "+0.0000" in text
    assert registry.versions("car") == []
