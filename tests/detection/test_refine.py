"""The branch learns where in its window a thing is."""

import numpy as np
import pytest
import torch

from roadworthy.data.transforms import normalise
from roadworthy.detection.convert import feature_width
from roadworthy.detection.offsets import encode
from roadworthy.detection.refine import FEW, fit_branch
from roadworthy.detection.windows import Windows
from searching import INSIDE, WINDOW, drawn, taught


def shifted(count: int, seed: int = 0) -> Windows:
    """Windows whose thing is aside by up to four pixels, and of another size by up to a tenth."""
    rng = np.random.default_rng(seed)
    centre, half = np.array([20.0, 12.0]), np.array([16.0, 9.0])
    pixels, boxes = [], []
    for number in range(count):
        middle, side = centre + rng.uniform(-4, 4, 2), half * rng.uniform(0.9, 1.1)
        box = np.rint(np.concatenate([middle - side, middle + side]))
        pixels.append(np.asarray(drawn((40, 24), box[None], seed + number))[..., None])
        boxes.append(box)
    whole = np.repeat([[0.0, 0, 40, 24]], count, axis=0)
    return Windows(np.stack(pixels), encode(np.array(boxes), whole))


def said(given: Windows, refine: bool, asked: Windows) -> np.ndarray:
    network = taught()
    branch = fit_branch(network, WINDOW, given, refine)
    with torch.inference_mode():
        features = network.backbone(torch.from_numpy(normalise(asked.pixels, WINDOW)))
        return (features @ branch.weight.T + branch.bias).numpy()


def test_a_known_shift_is_learned() -> None:
    """On windows it has not seen, the place is told several times better than by the mean."""
    given, fresh = shifted(300), shifted(100, seed=1000)
    error = np.abs(said(given, True, fresh) - fresh.offsets).mean(axis=0)
    plain = np.abs(said(given, False, fresh) - fresh.offsets).mean(axis=0)
    assert (error[:2] < plain[:2] / 2.5).all() and (error[2:] < plain[2:]).all()


def test_without_refining_it_says_the_mean() -> None:
    """The same for few windows: too few to learn from."""
    many, few = shifted(200), shifted(FEW - 1)
    for given, refine in ((many, False), (few, True)):
        found = said(given, refine, shifted(3, seed=50))
        np.testing.assert_allclose(
            found, np.repeat(given.offsets.mean(axis=0)[None], 3, axis=0), atol=1e-5
        )
    assert np.ptp(said(many, True, shifted(3, seed=50)), axis=0).max() > 0.01


def test_without_windows_a_thing_fills_its_window() -> None:
    """No boxes are known: the window itself is the box."""
    none = Windows(np.empty((0, 24, 40, 1), np.uint8), np.empty((0, 4), np.float32))
    branch = fit_branch(taught(), WINDOW, none, True)
    assert branch.weight.shape == (4, feature_width(taught())) and not branch.weight.any()
    assert not branch.bias.any()


def test_the_branch_is_what_a_bundle_takes() -> None:
    """Single precision and in one piece, as its file wants it; the mean is where things lie."""
    branch = fit_branch(taught(), WINDOW, shifted(100), True)
    assert branch.weight.dtype == branch.bias.dtype == torch.float32
    assert branch.weight.is_contiguous() and branch.weight.shape[0] == 4
    left, top, right, bottom = INSIDE
    wanted = np.log([(right - left) / 40, (bottom - top) / 24])
    mean = fit_branch(taught(), WINDOW, shifted(100), False).bias[2:]
    assert mean.tolist() == pytest.approx(wanted, abs=0.05)
