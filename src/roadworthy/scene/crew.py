"""The champions that inspect together, and what is known of them."""

from dataclasses import dataclass

from PIL import Image

from roadworthy.bundle.finder import Finder
from roadworthy.bundle.predictor import Predictor
from roadworthy.scene.accuracy import Step
from roadworthy.scene.inspect import Scene, inspect_picture


@dataclass(frozen=True)
class Crew:
    """One who searches, and those who are asked about each car."""

    finder: Finder
    askers: dict[str, Predictor]
    """By task."""
    steps: list[Step]
    unknown: list[str]
    """What was not measured, in plain sentences."""

    @property
    def name(self) -> str:
        """What is found."""
        return self.finder.spec.labels[-1]

    @property
    def max_pixels(self) -> int:
        """The strictest of their limits."""
        specs = [self.finder.spec, *(one.spec for one in self.askers.values())]
        return min(spec.max_pixels for spec in specs)

    def look(self, picture: Image.Image) -> Scene:
        """Inspect one picture or frame.

        Raises:
            DataError: it cannot be used.
        """
        return inspect_picture(picture, self.finder, self.askers)
