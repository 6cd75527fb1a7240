"""What a bundle says of a trained network."""

from collections.abc import Mapping

from roadworthy.bundle.format import BundleSpec, Searching
from roadworthy.data.ledger import SPLITS
from roadworthy.detection.convert import slide
from roadworthy.evaluation.findings import Fitted
from roadworthy.params import TaskPlan
from roadworthy.pipeline.train import Trained


def bundle_spec(
    plan: TaskPlan, trained: Trained, fitted: Fitted, figures: Mapping[str, float]
) -> BundleSpec:
    """The content of `bundle.json`.

    Args:
        figures: on the test split, by name.
    """
    data = trained.data
    return BundleSpec(
        task=plan.name,
        kind=plan.kind,
        labels=data.labels,
        outputs="sigmoid" if plan.loss == "bce" else "softmax",
        input=plan.input,
        backbone=plan.backbone,
        head=plan.head,
        temperature=fitted.temperature,
        threshold=fitted.threshold,
        sure=fitted.sure,
        search=_searching(plan, trained, fitted) if plan.search.enabled else None,
        max_bytes=plan.export.max_bytes,
        max_pixels=plan.export.max_pixels,
        metrics=dict(figures),
        rows={split: len(data.places(split)) for split in SPLITS},
    )


def _searching(plan: TaskPlan, trained: Trained, fitted: Fitted) -> Searching:
    return Searching(
        settings=plan.search,
        stride=slide(trained.network, plan.input).stride,
        # Before one was fitted, every box counts.
        threshold=plan.search.floor if fitted.box_threshold is None else fitted.box_threshold,
    )
