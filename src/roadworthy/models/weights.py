"""Where a backbone's weights come from: our own pretraining, torchvision, or a file."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from roadworthy.errors import ParamsError, TrainingError
from roadworthy.models.build import Network
from roadworthy.params import Backbone


def load_backbone(network: Network, spec: Backbone, pretrained: Path) -> str | None:
    """Put weights into the network's backbone.

    Args:
        pretrained: what the `pretrain` stage made, used where `spec.weights` is `pretrain`.

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
        return _from_torchvision(network, spec)
    try:
        _fill(network, load_file(file) if file.suffix == ".safetensors" else _torch_file(file))
    except (RuntimeError, SafetensorError) as error:
        raise TrainingError(f"{file} does not fit {spec.name}: {str(error)[:300]}") from None
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _torch_file(file: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return loaded


def _from_torchvision(network: Network, spec: Backbone) -> str:
    from torchvision.models import get_model_weights

    try:
        known = get_model_weights(spec.name)
        chosen = known[str(spec.weights)]
    except (KeyError, ValueError):
        names = ", ".join(w.name for w in get_model_weights(spec.name))
        raise ParamsError(
            f"backbone.weights {spec.weights!r} is no file, and {spec.name} has {names or 'none'}"
        ) from None
    try:
        _fill(network, chosen.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise TrainingError(
            f"{chosen} cannot be downloaded ({error}): put the file somewhere and name it in "
            "backbone.weights, or use `pretrain`"
        ) from None
    return str(chosen)


def _fill(network: Network, state: dict[str, torch.Tensor]) -> None:
    """Load everything but the classifier that the weights came with."""
    own = network.backbone.state_dict()
    missing = own.keys() - state.keys()
    if missing:
        raise RuntimeError(f"missing {', '.join(sorted(missing)[:3])}")
    network.backbone.load_state_dict({name: state[name] for name in own})
