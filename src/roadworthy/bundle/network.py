"""A bundle's network in torch."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from roadworthy.bundle.format import WEIGHTS, BundleSpec
from roadworthy.errors import BundleError
from roadworthy.models.build import Network, build


def load_network(folder: Path, spec: BundleSpec) -> Network:
    """The network with the bundle's weights, in evaluation mode.

    Raises:
        BundleError: the weights are missing or do not fit.
    """
    outputs = 1 if spec.outputs == "sigmoid" else len(spec.labels)
    network = build(spec.backbone, spec.head, outputs, spec.input)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder / WEIGHTS} does not fit: {str(error)[:200]}") from None
    return network.eval()
