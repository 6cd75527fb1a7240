"""What must hold of any model, whatever its accuracy: small changes change nothing, nothing is no car."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from roadworthy.evaluation.stress import Ask, Predict

# A car seen in a mirror is the same car. One image in ten is left to doubtful answers, and to makes
# told by their letters.
MIRRORED = 0.9
# Two percent is less than a detector's box wanders from frame to frame; five is a careless crop.
SHIFTS = {0.02: 0.9, 0.05: 0.8}
# Nothing to be seen must never be a sure car. A model of many classes has no way to say "none of
# these" but doubt, and it was never shown a blank image: one in four is let pass.
BLANK_POSITIVE, BLANK_ANY = 0.0, 0.25
# A rule on validation may set the cut of sure answers so high that hardly one or none reaches it; a
# check that nothing can fail says nothing. Nine in ten for a blank image is too much in any case.
BLANK_SURE = 0.9
# Corners of the colour cube and what lies between, as red, green, blue.
LEVELS = (0, 128, 255)
NOISY = 12


def behaviour(
    ask: Ask,
    predict: Predict,
    pixels: np.ndarray,
    *,
    sure: float,
    positive: int | None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Check mirrored, shifted and blank images.

    Args:
        pixels: uint8 (N, H, W, C) of the test split.
        sure: probability of the answer from which it counts as sure; of blank images `BLANK_SURE`
            at most.
        positive: number of the class that a blank image must not be; None of many classes: any.
        seed: of the noise.
        progress: called with how many checks are done, and of how many.

    Returns:
        Columns check, figure (a share), limit, passed, words. Figures of blank images are at most
        the limit, others at least. No rows where there are no images.
    """
    columns = ["check", "figure", "limit", "passed", "words"]
    if not len(pixels):
        return pd.DataFrame(columns=columns)
    before = predict(ask(pixels))
    total = 3 + len(SHIFTS)
    rows = []

    def note(check: str, figure: float, limit: float, least: bool, what: str) -> None:
        passed = figure >= limit if least else figure <= limit
        bound = "at least" if least else "at most"
        words = f"{figure:.1%} of {what}; {bound} {limit:.0%}"
        rows.append((check, figure, limit, bool(passed), words))
        progress(len(rows), total)

    same = float((predict(ask(mirrored(pixels))) == before).mean())
    note("mirrored", same, MIRRORED, True, f"{len(pixels)} images keep their answer in a mirror")
    for share, limit in SHIFTS.items():
        after = [predict(ask(moved)) == before for moved in shifted(pixels, share)]
        what = f"{len(pixels)} images keep their answer when moved by {share:.0%} to any side"
        note(f"shifted {share:.0%}", float(np.all(after, axis=0).mean()), limit, True, what)
    answer = "of some class" if positive is None else "of the positive class"
    limit = BLANK_ANY if positive is None else BLANK_POSITIVE
    least = min(sure, BLANK_SURE)
    for name, images in blanks(pixels.shape[1:], seed).items():
        figure = _surely(ask(images), predict, least, positive)
        what = f"{len(images)} images of {name} are {answer} with {100 * least:.3g}% or more"
        note(f"blank, {name}", figure, limit, False, what)
    return pd.DataFrame(rows, columns=columns)


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """Left and right exchanged, (N, H, W, C)."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def shifted(pixels: np.ndarray, share: float) -> list[np.ndarray]:
    """Four batches (N, H, W, C), moved up, down, left and right by `share` of the side.

    By one pixel at least; what comes in is the edge, continued.
    """
    height, width = pixels.shape[1:3]
    down, right = (max(1, round(side * share)) for side in (height, width))
    wide = np.pad(pixels, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
    corners = ((2 * down, right), (0, right), (down, 2 * right), (down, 0))
    return [wide[:, top : top + height, left : left + width] for top, left in corners]


def blanks(shape: tuple[int, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Images of nothing, uint8 (N, H, W, C): of one colour each, and uniform noise.

    Args:
        shape: height, width and channels, 1 or 3.
    """
    grid = np.meshgrid(*[LEVELS] * 3, indexing="ij")
    colours = np.stack(grid, axis=-1).reshape(-1, 3)
    if shape[2] == 1:
        colours = np.linspace(0, 255, 9).round()[:, None]
    flat = np.broadcast_to(colours[:, None, None].astype(np.uint8), (len(colours), *shape))
    noise = np.random.default_rng(seed).integers(0, 256, (NOISY, *shape), dtype=np.uint8)
    return {"one colour": np.ascontiguousarray(flat), "noise": noise}


def _surely(
    probabilities: np.ndarray, predict: Predict, sure: float, positive: int | None
) -> float:
    """Share of answers that are sure, and of the positive class where there is one."""
    said = predict(probabilities)
    certain = probabilities[np.arange(len(said)), said] >= sure
    return float((certain if positive is None else certain & (said == positive)).mean())
