"""The champion through MLflow's own door answers exactly as the Predictor does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.images import open_image, to_array
from roadworthy.tracking import registry
from roadworthy.tracking.runs import RunLog
from support import tiny_bundle, write_images

# A machine with MLflow but without Roadworthy: its installed package is hidden.
ELSEWHERE = """
import sys
sys.path = [p for p in sys.path if not p.rstrip("/").endswith("/src")]
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f)]
try:
    import roadworthy
except ModuleNotFoundError:
    pass
else:
    raise SystemExit(f"still there: {roadworthy.__file__}")
import json, warnings
import mlflow
answer = mlflow.pyfunc.load_model("models:/car@champion").predict(sys.argv[1:])
print(json.dumps(answer["p_car"].tolist()))
"""


@pytest.fixture
def champion(project: Path) -> Path:
    """The folder of a bundle that is the champion of `car`."""
    folder = tiny_bundle(project / "export", sure=0.6)
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        uri = run.bundle(folder)
    version = registry.register("car", uri, run.run_id, bundle_format.digest(folder))
    registry.move("car", registry.CHAMPION, version)
    return folder


def test_every_form_of_image_gives_the_predictors_answer(project: Path, champion: Path) -> None:
    """Protects the one idea of the bundle: whoever asks, and however, the answer is the same."""
    paths = write_images(project / "images", 5)
    expected = Predictor(champion).predict(paths)
    arrays = np.stack([to_array(open_image(path), 3) for path in paths])
    model = mlflow.pyfunc.load_model("models:/car@champion")
    forms = {
        "bytes": [path.read_bytes() for path in paths],
        "paths": paths,
        "names": [str(path) for path in paths],
        "array": arrays,
        "list of arrays": list(arrays),
        "frame of names": pd.DataFrame({"image": [str(path) for path in paths]}),
        "frame of bytes": pd.DataFrame({"image": [path.read_bytes() for path in paths]}),
    }
    for name, form in forms.items():
        answer = model.predict(form)
        assert list(answer) == ["label", "probability", "sure", "p_not_car", "p_car"], name
        assert answer["label"].tolist() == [one.label for one in expected], name
        assert answer["probability"].tolist() == [one.probability for one in expected], name
        assert answer["sure"].tolist() == [one.sure for one in expected], name
        assert answer["p_car"].tolist() == [one.probabilities["car"] for one in expected], name
    for one in (arrays[0], paths[0].read_bytes(), str(paths[0])):
        assert model.predict(one)["probability"].tolist() == [expected[0].probability]
    assert model.predict([]).empty


def test_a_wrong_table_says_what_it_needs(champion: Path) -> None:
    """Protects users of MLflow from a KeyError deep inside."""
    model = mlflow.pyfunc.load_model("models:/car@champion")
    with pytest.raises(Exception, match="needs the column 'image'"):
        model.predict(pd.DataFrame({"picture": ["a.png"]}))


def test_nothing_is_pickled(project: Path, champion: Path) -> None:
    """Protects whoever loads the model: pickles run code of whoever wrote them."""
    files = [path for path in (project / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert any(path.name == "bundle.json" for path in files)
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".pt", ".pth"}]


def test_it_answers_where_roadworthy_is_not_installed(project: Path, champion: Path) -> None:
    """Protects `mlflow models serve`, which installs what an index has, and nothing else."""
    paths = [str(path) for path in write_images(project / "images", 2)]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *paths],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expected = [one.probabilities["car"] for one in Predictor(champion).predict(paths)]
    assert json.loads(done.stdout) == pytest.approx(expected)
    assert "Warning" not in done.stderr
