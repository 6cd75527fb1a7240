"""Where a backbone's weights come from: our own pretraining, torchvision, or a file."""

import hashlib
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from roadworthy.errors import ParamsError, TrainingError
from roadworthy.models import catalogue
from roadworthy.models.build import Network
from roadworthy.models.stages import AUXILIARY
from roadworthy.params import Backbone, Input

# The published DenseNet files write `norm.1` where the network has `norm1`.
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d\.)")


def load_backbone(
    network: Network, spec: Backbone, pretrained: Path, seen: Input | None = None
) -> str | None:
    """Put weights into the network's backbone.

    A first layer for colours becomes one for grey by summing over the colours, and a position
    embedding is interpolated to another image size. Auxiliary classifiers take what there is.

    Args:
        pretrained: what the `pretrain` stage made, used where `spec.weights` is `pretrain`.
        seen: what the network sees; a line says where torchvision's weights saw something else.

    Returns:
        SHA-256 of the file, the name of torchvision's weights, or None for random ones.

    Raises:
        ParamsError: the weights are neither a file nor known to torchvision.
        TrainingError: they cannot be had (no network) or do not fit.
    """
    if spec.weights is None:
        return None
    file = pretrained if spec.weights == "pretrain" else Path(spec.weights)
    if not file.is_file():
        if spec.weights == "pretrain":
            raise TrainingError(f"{file} is missing: run `dvc repro pretrain` first")
        return _from_torchvision(network, spec, seen)
    try:
        _fill(network, load_file(file) if file.suffix == ".safetensors" else _torch_file(file))
    except (RuntimeError, SafetensorError) as error:
        raise TrainingError(f"{file} does not fit {spec.name}: {str(error)[:300]}") from None
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _torch_file(file: Path) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return loaded


def _from_torchvision(network: Network, spec: Backbone, seen: Input | None) -> str:
    from torchvision.models import get_model_weights

    try:
        known = get_model_weights(spec.name)
        chosen = known[str(spec.weights)]
    except (KeyError, ValueError):
        has = "none" if spec.name == catalogue.PATCH_CNN else ", ".join(w.name for w in known)
        raise ParamsError(
            f"backbone.weights {spec.weights!r} is no file, and {spec.name} has {has}"
        ) from None
    if seen:
        _compare(spec, seen)
    try:
        _fill(network, chosen.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise TrainingError(
            f"{chosen} cannot be downloaded ({error}): put the file somewhere and name it in "
            "backbone.weights, or use `pretrain`"
        ) from None
    return str(chosen)


def _compare(spec: Backbone, seen: Input) -> None:
    """Say so where the weights were made with other images; they are of use all the same."""
    its = catalogue.native(spec.name, spec.weights, seen.channels)
    wanted = catalogue.resolve(seen.model_copy(update={"size": "backbone"}), spec)
    if wanted != seen.model_copy(update={"size": "set"}):
        print(
            f"{spec.name}: {its.weights} was made with {its.height} x {its.width} pixels, mean "
            f"{its.mean}, std {its.std}; input is {seen.height} x {seen.width}, mean {seen.mean}, "
            f"std {seen.std} (`input.size: backbone` takes the weights' own)"
        )


def _fill(network: Network, state: dict[str, Tensor]) -> None:
    """Load everything but the classifier that the weights came with."""
    own = network.backbone.state_dict()
    state = {OLD_DENSENET.sub(r"\1\2", name): value for name, value in state.items()}
    missing = {name for name in own.keys() - state.keys() if not _optional(name)}
    if missing:
        raise RuntimeError(f"missing {', '.join(sorted(missing)[:3])}")
    fitted = {n: _fitted(state[n], value) if n in state else value for n, value in own.items()}
    network.backbone.load_state_dict(fitted)


def _optional(name: str) -> bool:
    """Auxiliary classifiers, and a counter that older files lack."""
    return name.startswith(AUXILIARY) or name.endswith("num_batches_tracked")


def _fitted(value: Tensor, own: Tensor) -> Tensor:
    """The weights in the shape of the network's own, where there is a usual way."""
    if value.shape == own.shape:
        return value
    if value.ndim == 4 and own.shape == (value.shape[0], 1, *value.shape[2:]):
        return value.sum(1, keepdim=True)
    if value.ndim == own.ndim == 3 and value.shape[::2] == own.shape[::2] == (1, own.shape[2]):
        return _interpolated(value, own.shape[1])
    return value


def _interpolated(embedding: Tensor, length: int) -> Tensor:
    """Position embedding (1, 1 + n * n, D) for another number of patches; the first is no patch."""
    from torchvision.models.vision_transformer import interpolate_embeddings

    side = round((length - 1) ** 0.5)
    state = interpolate_embeddings(side, 1, {"encoder.pos_embedding": embedding})
    result: Tensor = state["encoder.pos_embedding"]
    return result
