"""A bundle as a model in MLflow: logged beside its run, with the code that answers for it."""

import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric

import roadworthy
from roadworthy.bundle.format import CARD, LINEAGE, Lineage
from roadworthy.layout import write_json

with warnings.catch_warnings():
    # MLflow warns of the type hints of its own chat models.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred", UserWarning)
    import mlflow.pyfunc

NAME = "model"
BUNDLE = "artifacts/bundle"
"""Where the bundle lies inside the model's artifacts."""
CODE = Path(__file__).with_name("pyfunc.py")
# What a Predictor needs to answer with the inference graph. Roadworthy itself travels as source:
# its name on a package index belongs to somebody else.
NEEDED = ("numpy", "onnxruntime", "pandas", "pillow", "pydantic", "pyyaml")


def log_bundle(
    client: MlflowClient,
    run_id: str,
    folder: Path,
    lineage: Lineage,
    *,
    card: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> str:
    """Log a copy of the bundle `folder`, with its card and lineage, as a model of the run.

    Args:
        card: the model card, Markdown; "" keeps the one in the folder.
        metrics: figures that are linked to the model, on test images.

    Returns:
        Its address, `models:/m-...`.
    """
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, NAME, run_id, dict(tags))
    with tempfile.TemporaryDirectory(prefix="roadworthy-") as name:
        # The bundle keeps its folder's name inside the model.
        bundle, source = Path(name) / "bundle", Path(name) / "source"
        shutil.copytree(folder, bundle)
        if card:
            (bundle / CARD).write_text(card, encoding="utf-8")
        write_json(bundle / LINEAGE, lineage.model_dump(mode="json"))
        _copy_source(source)
        mlflow.pyfunc.log_model(
            name=NAME,
            model_id=model.model_id,
            python_model=str(CODE),
            artifacts={"bundle": str(bundle), "source": str(source)},
            pip_requirements=requirements(),
        )
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[
            Metric(key, value, now, 0, model_id=model.model_id, run_id=run_id)
            for key, value in metrics.items()
        ],
    )
    return f"models:/{model.model_id}"


def requirements() -> list[str]:
    """What `pip` must install to use a logged bundle, at the versions of this environment."""
    return [_pinned(name) for name in NEEDED]


def _pinned(name: str) -> str:
    try:
        return f"{name}=={version(name)}"
    except PackageNotFoundError:
        return name


def _copy_source(target: Path) -> None:
    """The package's Python files, for those who load the model without having Roadworthy."""
    package = Path(roadworthy.__file__).parent
    for path in package.rglob("*.py"):
        copy = target / package.name / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
