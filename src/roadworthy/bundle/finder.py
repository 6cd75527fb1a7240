"""Asking a bundle where: the search of a whole picture, on ONNX Runtime and without torch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from roadworthy.bundle.format import SEARCH, SUPPRESS, BundleSpec, read_spec
from roadworthy.bundle.predictor import Picture, opened, session
from roadworthy.detection.found import Found
from roadworthy.detection.search import Searcher
from roadworthy.errors import BundleError


class Finder:
    """A loaded bundle that can search. Safe to call from several threads.

    Args:
        folder: the bundle.
        threads: CPU threads of the engine; None leaves it to the engine.

    Raises:
        BundleError: the bundle cannot search, is incomplete, or ONNX Runtime is not installed.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder = Path(folder)
        self.spec: BundleSpec = read_spec(self.folder)
        search = self.spec.search
        if search is None:
            raise BundleError(
                f"{folder} cannot search pictures: its task {self.spec.task!r} was exported without "
                "`search.enabled`"
            )
        self.threshold = search.threshold
        """Probability from which a box counts as found."""
        self._searcher = Searcher(
            maps=_maps(self.folder / SEARCH, threads),
            suppress=_suppress(self.folder / SUPPRESS, threads),
            input=self.spec.input,
            settings=search.settings,
            stride=search.stride,
            temperature=self.spec.temperature,
        )

    def find(self, picture: Picture) -> Found:
        """All boxes of a picture, those below the threshold too, down to the floor.

        Raises:
            DataError: the picture cannot be used.
        """
        return self._searcher.find(opened(picture, self.spec))


def _maps(
    graph: Path, threads: int | None
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    engine = session(graph, threads)

    def run(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, offsets = engine.run(None, {"picture": picture})
        return logits, offsets

    return run


def _suppress(
    graph: Path, threads: int | None
) -> Callable[[np.ndarray, np.ndarray, float], np.ndarray]:
    engine = session(graph, threads)

    def run(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
        # The largest overlap is part of the graph.
        kept: np.ndarray = engine.run(None, {"boxes": boxes, "scores": scores})[0]
        return kept

    return run
