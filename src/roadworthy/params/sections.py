"""The sections of `params.yaml`: every setting, its range and its default."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
# YAML reads a plain `off` as false.
Level = Annotated[
    Literal["error", "warn", "off"], BeforeValidator(lambda v: "off" if v is False else v)
]
# A label that can be the name of a folder.
LabelName = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")]


class Section(BaseModel):
    """A block of `params.yaml`: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Label(Section):
    """How the label of an image is read, tried in the order of `from`.

    What a `labels.csv` says of an image (columns path, label, group) goes before all of them.
    """

    source: tuple[Literal["folder", "filename", "csv"], ...] = Field(("folder",), alias="from")
    """`csv` alone: an image that no `labels.csv` names has no label."""
    classes: tuple[str, ...] | None = None
    """Closed list of labels; the last one is the positive class of a binary task. None: what is found."""
    aliases: dict[str, str] = {}
    """Other spellings, such as `vw: Volkswagen`."""


class Card(Section):
    """A collection that can be fetched, and how its files become images of a task."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """The folder below the task's images, and the `source` of its rows."""
    kaggle: Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")] | None = None
    """Handle, `owner/collection`."""
    version: Positive | None = None
    """The pinned version of a Kaggle collection."""
    folder: Path | None = None
    """A folder of this machine, instead of Kaggle."""
    licence: str = "not stated"
    about: str = ""
    labels: dict[str, LabelName | None] = {}
    """Pattern over the path inside the collection (`*/cars/*`) to label; the first match counts, null
    and no match leave a file out. Empty: all images are taken, and labelled as the task reads them."""
    expect: dict[str, Positive] = {}
    """How many images each label must bring; `images` is all of them."""
    max_gb: Rate = 20.0
    """Refuse more than this, packed or unpacked."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.kaggle is None) == (self.folder is None):
            raise ValueError(f"the card {self.name!r} must have either `kaggle` or `folder`")
        return self


class Input(Section):
    """What the network sees."""

    size: Literal["set", "backbone"] = "set"
    """`backbone`: height, width, mean and std are those that its ImageNet weights were made with."""
    height: Positive = 64
    width: Positive = 64
    channels: Literal[1, 3] = 3
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    """How another aspect is made to fit: squeezed, cut at the sides, or bordered."""
    margin: Annotated[float, Field(ge=1, le=2)] = 1.125
    """How much larger the cached image is than the input, so that random crops vary."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


class Index(Section):
    """One row per image."""

    workers: Count = 0
    """Processes that read images; 0 is one per core."""
    max_pixels: Positive = 100_000_000
    """Images that claim more are refused before they are decoded."""


class Validation(Section):
    """What the data must be like; a broken `error` expectation stops the road."""

    min_side: Positive = 16
    min_per_class: Positive = 20
    small_classes: Literal["refuse", "drop"] = "refuse"
    """What becomes of a class with fewer images than that: the road stops, or they are set aside."""
    max_unreadable: Share = 0.02
    max_unlabelled: Share = 0.02
    max_imbalance: Rate = 20.0
    """Largest class over smallest."""
    max_conflicts: Share = 0.02
    """Share of images whose exact copy carries another label."""
    max_near_duplicates: Share = 0.3
    near_duplicate_bits: Count = 14
    """Hamming distance of 64-bit perceptual hashes up to which two images are compared by pixels."""
    mirrored: bool = True
    """A mirrored copy counts as a near-duplicate."""
    dark: Share = 0.06
    """Mean brightness (0 to 1) below which an image is too dark, or above 1 minus which too bright."""
    blurry: Share = 0.0005
    """Variance of the Laplacian (0 to 1) below which an image is blurry."""
    flat: Share = 0.02
    """Standard deviation of the brightness (0 to 1) below which there is nothing in an image."""
    max_suspicious: Share = 0.1
    """Share of images that may be dark, bright, blurry, flat, oddly shaped or of an unusual mode."""
    modes: tuple[str, ...] = ("RGB", "L", "P", "RGBA", "CMYK")
    """Modes (as Pillow names them) in which images usually come."""
    max_source_mix: Share = 0.5
    """Cramer's V between source and label: at 1 the source tells the label."""
    shortcut_margin: Share = 0.2
    """By how much size, format and colour alone may beat always naming the largest class."""
    max_drift: Rate = 0.25
    """Change against the previous data version: of shares (total variation) and of means (in
    standard deviations)."""
    levels: dict[str, Level] = {}
    """Another level for a rule, by its name."""


class Audit(Section):
    """The search for wrong labels."""

    folds: Annotated[int, Field(ge=2)] = 5
    """Parts in turn judged by a head that was fitted on the others."""
    show: Positive = 200
    """Suspects in the gallery."""


class Split(Section):
    """Which rows train, choose and test."""

    val: Share = 0.15
    test: Share = 0.2
    group: str = ""
    """Pattern over the path; images with the same match stay in one split."""


class Prepare(Section):
    """The decoded cache."""

    workers: Count = 0
    """Threads that decode; 0 is one per core."""
    shard_mb: Annotated[int, Field(ge=1, le=256)] = 64
    """Largest shard."""
    stream: str | None = None
    """Where training images are streamed from, past what one disk holds: `s3://bucket/folder` or a folder."""


class Energy(Section):
    """What a machine that works for an hour uses and costs, for the model card."""

    watts: Rate = 120.0
    """Of a machine whose processors are all busy, without its GPUs (those report their own)."""
    idle_watts: Annotated[float, Field(ge=0)] = 40.0
    carbon: Annotated[float, Field(ge=0)] = 0.45
    """Kilograms of CO2e for a kilowatt-hour; about the mean of the world's grids."""
    price: Annotated[float, Field(ge=0)] = 0.0
    """Of an hour of this machine, in any currency."""


class Evaluate(Section):
    """What is measured on the test split, after thresholds and temperature were fitted on validation."""

    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples of the images behind each interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    threshold: (
        Literal["max_f1", "half", "cost"] | Annotated[str, Field(pattern=r"^precision >= 0?\.\d+$")]
    ) = "max_f1"
    """Rule for the threshold of a binary task: the best F1, 0.5, the least cost, or the most recall
    at a precision (`precision >= 0.95`)."""
    sure: Share | Annotated[str, Field(pattern=r"^accuracy >= 0?\.\d+$")] = 0.6
    """Probability below which an answer is marked as not sure, or the accuracy that the others must
    have on validation (`accuracy >= 0.99`)."""
    costs: dict[str, dict[str, Annotated[float, Field(ge=0)]]] = {}
    """Cost of a wrong answer, by truth and answer (`police: {other: 5}`); what is not named costs 1."""
    unsure_cost: Annotated[float, Field(ge=0)] = 0.2
    """Of an answer that a person must look at."""
    slices: tuple[str, ...] = (
        "label", "source", "format", "size", "aspect", "brightness", "sharpness", "bytes", "cast",
    )  # fmt: skip
    """Columns of the manifest (or `size`, `cast`) by which the test images are cut into parts."""
    stress: Count = 200
    """Test images on which robustness is measured, at most; 0 leaves it out."""
    explain: Count = 6
    """Images explained of each kind: best, worst, most doubtful."""
    gallery: Count = 24
    energy: Energy = Energy()


class Search(Section):
    """Sliding a binary task's classifier over whole scenes; its last label is what is sought."""

    enabled: bool = False
    smallest: Annotated[float, Field(gt=0, le=1)] = 0.12
    """Width of the smallest thing sought, as a share of the side of a square as large as the scene."""
    largest: Annotated[float, Field(gt=0, le=2)] = 0.8
    step: Annotated[float, Field(gt=1, le=4)] = 1.2
    """Ratio of one sought size to the next."""
    enlarge: Rate = 2.0
    """No level of the pyramid is larger than this many times the scene."""
    overlap: Share = 0.3
    """Of two boxes that overlap by more (intersection over union) the surer one stays."""
    floor: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Probability below which a window is not looked at any further."""
    most: Positive = 100
    """Boxes of one scene."""
    mine: Count = 0
    """Rounds in which false alarms on training scenes become examples of what it is not."""
    negatives: Positive = 400
    """Windows taken in each round, the surest first."""
    refine: bool = False
    """Whether a branch says where in its window the thing is; without it, where it usually is."""


class Export(Section):
    """The bundle."""

    parity: Rate = 0.001
    """Largest difference of probabilities between the exported graph and torch."""
    optimise: Literal["int8"] | None = "int8"
    """The graph in 8 bits, which is served where it answers as well as the one in fp32; null: none."""
    max_drop: Share = 0.002
    """Accuracy on the test split that it may lose; else it is not kept."""
    max_bytes: Positive = 20_000_000
    max_pixels: Positive = 50_000_000
    """Limits on what the served model accepts."""


class Promote(Section):
    """When a challenger becomes champion: the rules of the gate."""

    metric: str = "accuracy"
    """By which challenger and champion are compared, on the same test images."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The interval of the difference must lie above this."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    floors: dict[str, float] = {"accuracy": 0.8}
    """What a first champion must reach."""
    class_drop: Share = 0.1
    """Largest loss of a class's recall against the champion."""
    slice_drop: Share = 0.1
    """Largest loss of a slice's accuracy against the champion."""
    slices: tuple[str, ...] = ("source", "size", "brightness", "sharpness")
    """Columns whose parts may not lose more than that; parts under 10 images are not judged."""
    drops: dict[str, Share] = {}
    """Another largest loss for a class or a slice, by its name (`police`, `brightness low`)."""
    max_ece: Share = 0.15
    """Largest calibration error."""
    max_stress_drop: Share = 0.05
    """Largest loss of the mean accuracy under blur, noise and the like against the champion."""
    min_stress: Share = 0.3
    """Mean accuracy that a first champion must keep under them."""
    max_scenes_drop: Share = 0.05
    """Largest loss of the area under precision and recall in whole scenes against the champion."""
    min_scenes: Share = 0.5
    """That area, for a first champion, or where the champion cannot search."""
    max_latency_ms: Rate | None = None
    """For one image, median, on this machine; null: no limit."""
    max_slowdown: Rate = 1.5
    """Median latency over the champion's, measured by turns."""
    max_megabytes: Rate | None = None
    """Size of the inference graph; null: no limit."""


class Prune(Section):
    """What `roadworthy prune` leaves of old runs and versions; what has an alias always stays."""

    keep_versions: Count = 5
    """The newest versions of the task."""
    keep_runs: Count = 20
    """The newest runs."""
    keep_days: Count = 30
    """Anything younger than this."""
