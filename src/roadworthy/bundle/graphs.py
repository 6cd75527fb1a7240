"""A network as an ONNX file, the same bytes in every folder."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn


def write_graph(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    path: Path,
    names: dict[str, dict[int, str]],
    outputs: int,
    **options: Any,
) -> None:
    """Write a graph.

    Args:
        example: what it is traced with.
        names: of inputs and then of outputs, each with the sides that are free.
        outputs: how many of the names are outputs.
        options: more for `torch.onnx.export`.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    # ONNX does not know what a transformer without gradients is shortened to.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            # The older exporter folds BatchNorm, takes a third of the time, and writes the same bytes
            # in every folder; the newer one puts source paths into the file.
            warnings.simplefilter("ignore", DeprecationWarning)
            # ViT and Swin look at sizes, which are constants here but for the batch.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            torch.onnx.export(
                network,
                example,
                str(path),
                input_names=list(names)[:-outputs],
                output_names=list(names)[-outputs:],
                dynamic_axes=names,
                dynamo=False,
                **options,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
