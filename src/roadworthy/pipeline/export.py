"""export: the bundle, logged to the run of its model."""

import numpy as np

from roadworthy.bundle.format import CARD
from roadworthy.bundle.write import write_bundle
from roadworthy.data import seen
from roadworthy.data.transforms import centre
from roadworthy.errors import StaleError
from roadworthy.evaluation.findings import Fitted
from roadworthy.layout import PRETRAIN, folder, needed, read_json, replacing
from roadworthy.models.outputs import to_probabilities
from roadworthy.monitoring.reference import profile
from roadworthy.params import TaskPlan
from roadworthy.pipeline import evaluate, pretrain, record, train
from roadworthy.pipeline.spec import bundle_spec
from roadworthy.pipeline.subject import logits
from roadworthy.pipeline.train import Trained
from roadworthy.tracking import store

PARITY_IMAGES = 32


def run(plan: TaskPlan) -> None:
    """Write the bundle, check its graph against torch, and log it as the run's model.

    Raises:
        BundleError: the graph does not agree with the network.
        TrackingError: the store cannot be reached.
    """
    store.connect()
    trained = train.load(plan)
    measured = needed(plan.name, "evaluate")
    figures = read_json(measured / evaluate.METRICS)
    fitted = Fitted(**read_json(measured / evaluate.CALIBRATION))
    data = trained.data
    val = centre(data.pixels(data.places("val")), data.input)
    answers = to_probabilities(logits(trained, "val"), fitted.temperature)
    with replacing(folder(plan.name, "export")) as out:
        difference = write_bundle(
            out,
            bundle_spec(plan, trained, fitted, _figures(figures)),
            trained.network,
            reference=profile(data.rows.iloc[data.places("val")], answers),
            seen=_seen(plan, trained),
            sample=val[:PARITY_IMAGES],
            branch=trained.branch,
            parity=plan.export.parity,
        )
        card = (measured / CARD).read_text(encoding="utf-8")
        record.run_of(plan, trained).bundle(out, card)
    print(f"export {plan.name}: graph and torch agree to {difference:.1e} in probability")


def _figures(measured: dict[str, dict[str, float]]) -> dict[str, float]:
    """Those on test images, and those on test scenes as `scenes_NAME`."""
    scenes = measured.get("scenes", {})
    return measured["test"] | {f"scenes_{name}": value for name, value in scenes.items()}


def _seen(plan: TaskPlan, trained: Trained) -> np.ndarray:
    """Fronts of the digests of all images that shaped the model: trained, chosen or pretrained by."""
    rows = trained.data.rows
    own = seen.fronts(rows.loc[rows["split"] != "test", "sha256"])
    if plan.backbone.weights != "pretrain":
        return own
    backbone = seen.load(PRETRAIN / pretrain.SEEN)
    if backbone is None:
        raise StaleError(f"{PRETRAIN / pretrain.SEEN} is missing: run `dvc repro pretrain` first")
    return np.union1d(own, backbone)
