"""The bundle on disk: a folder with everything that using a model takes, and nothing to unpickle.

bundle.json           what the model is: labels, input, temperature, thresholds, limits, figures
weights.safetensors   the weights
model.onnx            the same network as an inference graph
model.int8.onnx       the same in 8 bits, where that answers as well (quantise.py)
explain.onnx          from its maps to Grad-CAM's heat, where it has fine enough maps
search.onnx           the same network, sliding over whole pictures  } of a task that
suppress.onnx         which of overlapping boxes stay                } searches
reference.json        what validation data look like to it, for drift
seen.npy              which images it was made with
reference.npz         the same image by image, see `monitoring.reference`  }
figures.json          what was measured of it                              } not part of
card.md               the model card         } added when the run          } the digest
lineage.json          where it came from     } is recorded                 }
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from roadworthy.errors import BundleError
from roadworthy.params import Backbone, Head, Input, Search, Section

SPEC = "bundle.json"
WEIGHTS = "weights.safetensors"
GRAPH = "model.onnx"
OPTIMISED = "model.int8.onnx"
EXPLAIN = "explain.onnx"
SEARCH = "search.onnx"
SUPPRESS = "suppress.onnx"
REFERENCE = "reference.json"
IMAGES = "reference.npz"
SEEN = "seen.npy"
FIGURES = "figures.json"
CARD = "card.md"
LINEAGE = "lineage.json"
DESCRIBING = (CARD, FIGURES, IMAGES, LINEAGE)


class Lineage(Section):
    """Where a model came from; the same record is in the run, the bundle and the service's `/info`."""

    git_commit: str | None = None
    git_dirty: bool | None = None
    data_version: str | None = None
    """DVC's hash of `data/`."""
    params_hash: str
    """SHA-256 of the task's resolved plan."""
    run_id: str | None = None
    backbone: str | None = None
    """SHA-256 of the backbone that training began from; null from scratch, else a weights' name."""


class Searching(Section):
    """How whole pictures are searched."""

    settings: Search
    stride: tuple[int, int]
    """Pixels from one window to the next, down and across."""
    threshold: float
    """Probability from which a box counts as found."""


class Optimised(Section):
    """A graph in 8 bits that passed its parity gate, and how it answered the test split."""

    graph: str = OPTIMISED
    accuracy: float
    accuracy_fp32: float
    drop: float
    """Accuracy lost, 0 to 1; below 0 it is more accurate."""
    difference: float
    """Largest difference of probabilities between the two."""
    images: int
    """Of the test split."""


class BundleSpec(Section):
    """`bundle.json`."""

    format: Literal[1] = 1
    task: str
    kind: Literal["binary", "multiclass"]
    labels: tuple[str, ...]
    """In the order of the probabilities; the last one is the positive class of a binary task."""
    outputs: Literal["sigmoid", "softmax"]
    """Whether the network gives one logit (of the positive class) or one per label."""
    input: Input
    backbone: Backbone
    head: Head
    temperature: float = 1.0
    """Logits are divided by this before they become probabilities."""
    threshold: float | None = None
    """Probability of the positive class from which the answer is positive; null for many classes."""
    sure: float = 0.0
    """Probability of the answer below which it is marked as not sure."""
    search: Searching | None = None
    """Null: the bundle says what a picture shows, not where."""
    optimised: Optimised | None = None
    """Null: the bundle has no other graph than that in fp32."""
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    metrics: dict[str, float] = {}
    """Figures on the test split, as `accuracy`, `accuracy_low`, `accuracy_high` ..."""
    rows: dict[str, int] = {}
    """Images per split."""


def read_spec(folder: Path) -> BundleSpec:
    """Read `bundle.json`.

    Raises:
        BundleError: missing, damaged or of another format.
    """
    path = folder / SPEC
    try:
        return BundleSpec.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise BundleError(f"{folder} is no bundle: {SPEC} is missing") from None
    except ValidationError as error:
        raise BundleError(f"{path} cannot be used: {error.errors()[0]['msg']}") from None


def read_lineage(folder: Path) -> Lineage | None:
    """The lineage of a recorded bundle; None of one that was never recorded."""
    path = folder / LINEAGE
    if not path.is_file():
        return None
    return Lineage.model_validate_json(path.read_text(encoding="utf-8"))


def read_reference(folder: Path) -> dict[str, Any]:
    """The profile of validation images, see `monitoring.reference`; empty where there is none."""
    path = folder / REFERENCE
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return found


def digest(folder: Path) -> str:
    """SHA-256 over names and bytes of the bundle's files but those that describe it: what the model *is*."""
    # Bundles from before `seen.npy` had their card in the digest, and keep the name they were given.
    describing = DESCRIBING if (folder / SEEN).is_file() else (LINEAGE,)
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in describing:
            total.update(path.name.encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
