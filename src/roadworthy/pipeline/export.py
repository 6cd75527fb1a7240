"""export: the bundle, logged to the run of its model."""

import pandas as pd

from roadworthy.bundle.card import write_card
from roadworthy.bundle.format import BundleSpec
from roadworthy.bundle.write import write_bundle
from roadworthy.data.ledger import SPLITS
from roadworthy.data.transforms import centre
from roadworthy.layout import folder, needed, read_json, replacing
from roadworthy.models.outputs import to_probabilities
from roadworthy.monitoring.reference import profile
from roadworthy.params import TaskPlan
from roadworthy.pipeline import evaluate, record, train
from roadworthy.pipeline.train import Trained
from roadworthy.tracking import store

PARITY_IMAGES = 32
WEAKEST = 5


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
    fitted = read_json(measured / evaluate.CALIBRATION)
    weakest = pd.read_csv(measured / "slices.csv").head(WEAKEST)
    data = trained.data
    val = centre(data.pixels(data.places("val")), data.input)
    answers = to_probabilities(evaluate.logits(trained, "val"), fitted["temperature"])
    spec = _spec(plan, trained, figures["test"], fitted)
    with replacing(folder(plan.name, "export")) as out:
        difference = write_bundle(
            out,
            spec,
            trained.network,
            reference=profile(data.rows.iloc[data.places("val")], answers),
            card=write_card(spec, weakest, figures["baseline"]["accuracy"]),
            sample=val[:PARITY_IMAGES],
            parity=plan.export.parity,
        )
        record.run_of(plan, trained).bundle(out)
    print(f"export {plan.name}: graph and torch agree to {difference:.1e} in probability")


def _spec(
    plan: TaskPlan, trained: Trained, test: dict[str, float], fitted: dict[str, float | None]
) -> BundleSpec:
    data = trained.data
    return BundleSpec(
        task=plan.name,
        kind=plan.kind,
        labels=data.labels,
        outputs="sigmoid" if plan.loss == "bce" else "softmax",
        input=plan.input,
        backbone=plan.backbone,
        head=plan.head,
        temperature=fitted["temperature"] or 1.0,
        threshold=fitted["threshold"],
        sure=plan.evaluate.sure,
        max_bytes=plan.export.max_bytes,
        max_pixels=plan.export.max_pixels,
        metrics=test,
        rows={split: len(data.places(split)) for split in SPLITS},
    )
