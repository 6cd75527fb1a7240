"""export: the bundle, logged to the run of its model."""

from pathlib import Path

import numpy as np

from roadworthy.bundle import speed
from roadworthy.bundle.figures import collect, write_figures
from roadworthy.bundle.format import CARD
from roadworthy.bundle.predictor import Predictor
from roadworthy.bundle.quantise import optimise, spread
from roadworthy.bundle.write import write_bundle
from roadworthy.data import seen
from roadworthy.data.transforms import centre
from roadworthy.errors import StaleError
from roadworthy.evaluation.findings import Fitted
from roadworthy.layout import PRETRAIN, folder, needed, read_json, replacing
from roadworthy.models.outputs import to_probabilities
from roadworthy.monitoring.reference import independent, profile, write_images
from roadworthy.params import TaskPlan
from roadworthy.pipeline import evaluate, pretrain, record, train
from roadworthy.pipeline.spec import bundle_spec
from roadworthy.pipeline.subject import logits
from roadworthy.pipeline.train import Trained
from roadworthy.quality.units import units
from roadworthy.tracking import store

PARITY_IMAGES = 32


def run(plan: TaskPlan) -> None:
    """Write the bundle, check its graphs against torch and each other, and log it as the run's model.

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
        eight = optimised(plan, trained, out)
        _reference(plan, trained, out)
        shown = collect(measured, data.labels, _figures(figures), fitted.threshold)
        write_figures(out, shown)
        card = (measured / CARD).read_text(encoding="utf-8")
        record.run_of(plan, trained).bundle(out, card)
    print(f"export {plan.name}: graph and torch agree to {difference:.1e} in probability")
    print(f"  {eight}")


def optimised(plan: TaskPlan, trained: Trained, bundle: Path) -> str:
    """Add the graph in 8 bits where it answers as well; what became of it, for people to read."""
    if plan.export.optimise is None:
        return "no graph in 8 bits: export.optimise is null"
    data = trained.data
    # Of a streamed task one shard: rows lie in the order of their digests, so it is like the others.
    learned, test = data.chunks("train")[0], data.places("test")
    pixels = centre(data.pixels(test), data.input)
    found = optimise(
        bundle,
        centre(data.pixels(learned[spread(len(learned))]), data.input),
        pixels,
        data.targets(test),
        plan.export.max_drop,
    )
    if found.optimised is None:
        return f"no graph in 8 bits, it is served in fp32: {found.reason}"
    times = speed.gain(bundle, pixels)
    slower = "; export.optimise: null serves in fp32" if times < 1 else ""
    return f"graph in 8 bits: {found.reason}; {times:.1f} times as fast here{slower}"


def _reference(plan: TaskPlan, trained: Trained, bundle: Path) -> None:
    """Add what live traffic is compared with, seen through the graph that will be served."""
    data, places = trained.data, trained.data.places("val")
    rows = data.rows.iloc[places]
    chosen = independent(units(rows), rows["label"].to_numpy(str), plan.seed)
    served = Predictor(bundle)
    found = served.outputs(centre(data.pixels(places[chosen]), data.input))
    answers = to_probabilities(found.logits, served.spec.temperature)
    write_images(bundle, rows.iloc[chosen], answers, found.embedding)


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
