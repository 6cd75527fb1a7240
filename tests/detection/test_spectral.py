"""A convolution by way of the Fourier transform is the plain one."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from roadworthy.detection.spectral import SpectralConv2d


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(1, 8),
    st.integers(1, 32),
    st.integers(0, 9),
    st.integers(0, 150),
    st.integers(0, 1000),
)
def test_it_equals_the_plain_convolution(
    batch: int,
    channels: int,
    outputs: int,
    rows: int,
    columns: int,
    down: int,
    across: int,
    seed: int,
) -> None:
    """Any kernel up to half the transform, any number of blocks, also exactly one place."""
    weight = random(outputs, channels, rows, columns, seed=seed)
    bias = random(outputs, seed=seed + 1)
    maps = random(batch, channels, rows + down, columns + across, seed=seed + 2)
    wanted = nn.functional.conv2d(maps, weight, bias)
    with torch.inference_mode():
        layer = SpectralConv2d(weight, bias)
        torch.testing.assert_close(layer(maps), wanted, atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(layer(maps), wanted, atol=2e-4, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(1, 20), st.integers(0, 60))
def test_any_length_of_the_transform(length: int, columns: int, across: int) -> None:
    """Odd ones too: their last frequency counts twice."""
    columns = max(1, min(columns, length // 2))
    weight, bias = random(2, 3, 2, columns, seed=0), random(2, seed=1)
    maps = random(1, 3, 4, columns + across, seed=2)
    with torch.inference_mode():
        found = SpectralConv2d(weight, bias, length)(maps)
    torch.testing.assert_close(
        found, nn.functional.conv2d(maps, weight, bias), atol=1e-4, rtol=1e-4
    )


def test_only_the_kernel_is_kept() -> None:
    """Saved weights hold the kernel, not its transform, which is ten times larger."""
    layer = SpectralConv2d(random(2, 3, 2, 20, seed=0), random(2, seed=1))
    layer(random(1, 3, 2, 60, seed=2))
    assert sorted(layer.state_dict()) == ["bias", "weight"]
