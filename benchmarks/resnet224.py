"""A ResNet-50 for 224 px whose answers mean something, to measure with.

    python -m benchmarks.resnet224 --from ARTIFACTS --out FOLDER

The backbone is that of a task's bundle, trained at 64 px; only the head is fitted anew, on what the
backbone makes of the same split's files at 224 px. Engines and the service are measured with it. Five
minutes on two busy cores. It is no model to be proud of, but no random weights either: those hide what
rounding does to answers.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from roadworthy.bundle import quantise
from roadworthy.bundle.format import REFERENCE, SPEC, BundleSpec, read_spec
from roadworthy.bundle.network import load_network
from roadworthy.bundle.predictor import Predictor
from roadworthy.bundle.write import write_bundle
from roadworthy.data import seen, transforms
from roadworthy.data.images import open_image
from roadworthy.layout import replacing, write_json
from roadworthy.models.build import Network, build_head
from roadworthy.monitoring.reference import profile
from roadworthy.params import Head, Input

SIZE = 224
BATCH = 16
MAX_DROP = 0.002
SPLITS = ("train", "val", "test")


def main() -> None:
    """Write the bundle, and say how well it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--task", default="police", help="Binary, with a ResNet-50.")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(make(options.artifacts, options.task, options.out))


def make(artifacts: Path, task: str, out: Path) -> str:
    """Write the bundle into `out`, with a graph in 8 bits if that passes its gate; a line about it.

    Args:
        artifacts: of a road that was walked; the images lie where they lay then.
    """
    bundle = artifacts / task / "export"
    old = read_spec(bundle)
    network = load_network(bundle, old)
    rows = pd.read_parquet(artifacts / task / "prepare" / "rows.parquet")
    spec = _spec(old)
    of = {split: rows[rows["split"] == split] for split in SPLITS}
    pixels = {split: images(part, artifacts.parent, spec.input) for split, part in of.items()}
    network.head = fitted(network, pixels["train"], of["train"]["target"].to_numpy(), spec)
    targets = of["test"]["target"].to_numpy(np.int64)
    with replacing(out) as folder:
        write_bundle(
            folder,
            spec,
            network,
            reference={},
            seen=seen.fronts(rows.loc[rows["split"] != "test", "sha256"]),
            sample=pixels["val"][:8],
        )
        predictor = Predictor(folder, "onnx")
        said = predictor.probabilities(pixels["test"])
        accuracy = float((predictor.decide(said) == targets).mean())
        known = predictor.probabilities(pixels["val"])
        _complete(folder, spec, {"accuracy": accuracy}, profile(of["val"], known))
        some = quantise.spread(len(pixels["train"]))
        outcome = quantise.optimise(
            folder, pixels["train"][some], pixels["test"], targets, MAX_DROP
        )
    return f"{out}: accuracy {accuracy:.4f} on {len(targets)} test images; 8 bits: {outcome.reason}"


def images(rows: pd.DataFrame, root: Path, spec: Input) -> np.ndarray:
    """The files of manifest rows as the network sees them, uint8 (N, H, W, C)."""
    opened = (open_image(root / path) for path in rows["path"])
    return np.stack([transforms.centre(transforms.fit(each, spec), spec) for each in opened])


def fitted(
    network: Network, pixels: np.ndarray, targets: np.ndarray, spec: BundleSpec
) -> torch.nn.Module:
    """A linear head with one output, fitted by logistic regression."""
    made = features(network, pixels, spec.input)
    scale = StandardScaler().fit(made)
    found = LogisticRegression(C=0.01, max_iter=1000).fit(scale.transform(made), targets)
    weight = found.coef_ / scale.scale_
    bias = found.intercept_ - weight @ scale.mean_
    head = build_head(made.shape[1], spec.head, 1)
    values = {"0.weight": torch.from_numpy(weight), "0.bias": torch.from_numpy(bias)}
    head.load_state_dict({name: value.float() for name, value in values.items()})
    return head.eval()


def features(network: Network, pixels: np.ndarray, spec: Input) -> np.ndarray:
    """What the backbone makes of uint8 pixels (N, H, W, C), float32 (N, D)."""
    parts = []
    backbone = network.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for start in range(0, len(pixels), BATCH):
        batch = torch.from_numpy(transforms.normalise(pixels[start : start + BATCH], spec))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            parts.append(backbone(batch.to(memory_format=torch.channels_last)).float().numpy())
    return np.concatenate(parts)


def _spec(old: BundleSpec) -> BundleSpec:
    size = {"size": "set", "height": SIZE, "width": SIZE, "margin": 1.0}
    changed = {
        "input": old.input.model_copy(update=size),
        "head": Head(),
        "outputs": "sigmoid",
        "temperature": 1.0,
        "threshold": 0.5,
        "search": None,
        "optimised": None,
        "metrics": {},
    }
    return old.model_copy(update=changed)


def _complete(
    folder: Path, spec: BundleSpec, metrics: dict[str, float], reference: dict[str, object]
) -> None:
    """What is known of a bundle only once it can be asked."""
    measured = spec.model_copy(update={"metrics": metrics})
    write_json(folder / SPEC, measured.model_dump(mode="json"))
    write_json(folder / REFERENCE, reference)


if __name__ == "__main__":
    main()
