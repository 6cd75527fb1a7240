"""What the ONNX exporter is told, so that every network can be written."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from roadworthy.bundle.graphs import write_graph


class Attention(nn.Module):
    """One encoder layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, batch: Tensor) -> Tensor:
        attended: Tensor = self.layer(batch, batch, batch, need_weights=False)[0]
        return attended


def test_a_frozen_transformer_can_be_written(tmp_path: Path) -> None:
    """Without gradients torch shortens attention to an operation that ONNX does not know."""
    network = Attention().eval().requires_grad_(False)
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    before = torch.backends.mha.get_fastpath_enabled()
    names = {"images": {0: "batch"}, "logits": {0: "batch"}}
    write_graph(network, (example,), tmp_path / "model.onnx", names, 1)
    assert torch.backends.mha.get_fastpath_enabled() == before
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    three = np.ones((3, 3, 8), np.float32)
    (found,) = session.run(["logits"], {"images": three})
    assert found == pytest.approx(network(torch.from_numpy(three)).numpy(), abs=1e-5)
