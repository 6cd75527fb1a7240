"""One backbone from several tasks at once, each with its own part of one joint head."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from roadworthy.data.cached import Cache
from roadworthy.models.build import Network
from roadworthy.params import Augment, Input, Pretrain, Train
from roadworthy.training.module import Classifier

# Logit of a class of another task: as good as minus infinity, without its trouble.
OUT = -1e4


@dataclass(frozen=True)
class PretrainRecipe:
    """The settings of pretraining in the words of fine-tuning."""

    seed: int
    input: Input
    augment: Augment
    train: Train

    @classmethod
    def of(cls, settings: Pretrain, spec: Input, seed: int) -> "PretrainRecipe":
        """AdamW under OneCycle over the whole network, the best pair measured from scratch."""
        train = Train(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            lr=settings.lr,
            backbone_lr=1.0,
            weight_decay=settings.weight_decay,
            loss="cross_entropy",
            clip_norm=0.0,
            deterministic=settings.deterministic,
        )
        return cls(seed, spec, Augment(), train)


class Joint:
    """Several caches as one source: rows one cache after the other, class numbers too."""

    def __init__(self, caches: list[Cache]) -> None:
        self.caches = caches
        self.starts = np.cumsum([0, *map(len, caches)])
        self.offsets = np.cumsum([0, *(len(cache.labels) for cache in caches)])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels of every image."""
        return self.caches[0].shape

    def __len__(self) -> int:
        return int(self.starts[-1])

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending."""
        return np.concatenate(self.chunks(split, together=True))

    def chunks(self, split: str, together: bool = False) -> list[np.ndarray]:
        """The same row numbers, those apart that lie apart; or one array for each cache."""
        found = []
        for start, cache in zip(self.starts, self.caches, strict=False):
            parts = [cache.places(split)] if together else cache.chunks(split)
            found += [part + start for part in parts]
        return found

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, C)."""
        out = np.empty((len(places), *self.shape), np.uint8)
        for number, (cache, mine) in enumerate(self._parts(places)):
            out[mine] = cache.pixels(places[mine] - self.starts[number])
        return out

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers in the joint head, int64 (N,)."""
        out = np.empty(len(places), np.int64)
        for number, (cache, mine) in enumerate(self._parts(places)):
            out[mine] = cache.targets(places[mine] - self.starts[number]) + self.offsets[number]
        return out

    def _parts(self, places: np.ndarray) -> list[tuple[Cache, np.ndarray]]:
        owner = np.searchsorted(self.starts, places, side="right") - 1
        return [(cache, owner == number) for number, cache in enumerate(self.caches)]


class JointClassifier(Classifier):
    """Cross-entropy among the classes of an image's own task: other tasks' logits do not compete."""

    def __init__(
        self, network: Network, recipe: PretrainRecipe, caches: list[Cache], steps: int
    ) -> None:
        task_of = np.repeat(np.arange(len(caches)), [len(cache.labels) for cache in caches])
        super().__init__(network, recipe, torch.ones(len(task_of)), steps)
        rival = torch.from_numpy(task_of[:, None] == task_of[None, :])
        self.register_buffer("rival", rival, persistent=False)

    def among(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (N, C) in which the classes of other tasks are out of the question."""
        return logits.masked_fill(~cast(Tensor, self.rival)[targets], OUT)
