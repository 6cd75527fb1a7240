"""The answers given lately, so that feedback can be told whether it means one of them."""

from dataclasses import dataclass
from threading import Lock

SIZE = 20_000


@dataclass(frozen=True)
class Answered:
    """What was said of an image."""

    label: str
    version: int


class Recent:
    """The latest answers by image and task. Thread-safe.

    Args:
        size: older ones are forgotten.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._answers: dict[tuple[str, str], Answered] = {}
        self._lock = Lock()

    def add(self, image: str, task: str, label: str, version: int) -> None:
        """Remember one answer."""
        with self._lock:
            self._answers[image, task] = Answered(label, version)
            if len(self._answers) > self._size:
                del self._answers[next(iter(self._answers))]

    def get(self, image: str, task: str) -> Answered | None:
        """What was answered; None when it is not known, or was too long ago."""
        with self._lock:
            return self._answers.get((image, task))
