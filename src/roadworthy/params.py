"""`params.yaml` as typed models, and the plan of one task: its settings over the defaults.

`load` reads the file; an unknown key, a wrong type or a value out of range stops with one message
that names the place and the nearest known names. `Params.task` gives the resolved `TaskPlan`.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roadworthy.errors import ParamsError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
# A task's name is a folder, a stage and a registered model.
TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A block of `params.yaml`: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Label(Section):
    """How the label of an image is read, tried in the order of `from`."""

    source: tuple[Literal["folder", "filename"], ...] = Field(("folder",), alias="from")
    classes: tuple[str, ...] | None = None
    """Closed list of labels; the last one is the positive class of a binary task. None: what is found."""
    aliases: dict[str, str] = {}
    """Other spellings, such as `vw: Volkswagen`."""


class Input(Section):
    """What the network sees."""

    height: Positive = 64
    width: Positive = 64
    channels: Literal[1, 3] = 3
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    """How another aspect is made to fit: squeezed, cut at the sides, or bordered."""
    margin: Annotated[float, Field(ge=1, le=2)] = 1.125
    """How much larger the cached image is than the input, so that random crops vary."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


class Backbone(Section):
    """The part of the network that makes features."""

    name: str = "resnet50"
    weights: str | None = "pretrain"
    """`pretrain` (made by that stage), a torchvision name such as IMAGENET1K_V2, a file, or null."""


class Head(Section):
    """The part of the network that makes logits of features."""

    hidden: tuple[Positive, ...] = ()
    """Widths of hidden layers (linear, BatchNorm, ReLU, dropout); none is a linear head."""
    dropout: Share = 0.0


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
    max_unreadable: Share = 0.02
    max_unlabelled: Share = 0.02
    max_imbalance: Rate = 20.0
    """Largest class over smallest."""
    max_conflicts: Share = 0.02
    """Share of images whose exact copy carries another label."""
    max_near_duplicates: Share = 0.3
    near_duplicate_bits: Count = 4
    """Hamming distance of 64-bit perceptual hashes up to which two images may be the same one."""
    dark: Share = 0.06
    blurry: Share = 0.0005
    """Mean brightness and variance of the Laplacian (0 to 1) below which an image is suspicious."""
    max_suspicious: Share = 0.1


class Split(Section):
    """Which rows train, choose and test."""

    val: Share = 0.15
    test: Share = 0.2
    group: str = ""
    """Pattern over the path; images with the same match stay in one split."""


class Prepare(Section):
    """The decoded cache."""

    workers: Count = 0
    shard_mb: Annotated[int, Field(ge=1, le=256)] = 64


class Augment(Section):
    """Random changes to training images, one draw per image; 0 or false switches one off."""

    flip: Share = 0.5
    rotate: Annotated[float, Field(ge=0, le=180)] = 8.0
    """Largest angle in degrees."""
    scale: tuple[float, float] = (0.85, 1.15)
    translate: Share = 0.06
    brightness: Share = 0.2
    contrast: Share = 0.2
    saturation: Share = 0.2
    erase: Share = 0.0
    """Chance that a random rectangle is blanked."""
    trivial: bool = False
    """TrivialAugmentWide instead of the four colour settings above."""


class Pretrain(Section):
    """The backbone of this project's own, where ImageNet weights cannot be had."""

    tasks: tuple[str, ...] = ()
    epochs: Positive = 4
    batch_size: Positive = 32
    lr: Rate = 0.002
    weight_decay: Annotated[float, Field(ge=0)] = 0.05


class Train(Section):
    """Fine-tuning."""

    epochs: Positive = 3
    batch_size: Positive = 32
    accumulate: Positive = 1
    """Batches per optimizer step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: Rate = 0.001
    backbone_lr: Share = 0.1
    """Learning rate of the backbone as a share of the head's."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["constant", "plateau", "onecycle", "cosine"] = "onecycle"
    loss: Literal["auto", "bce", "cross_entropy"] = "auto"
    """`auto`: one logit and BCE for a binary task, cross-entropy otherwise."""
    label_smoothing: Share = 0.0
    class_weights: Literal["none", "balanced", "sqrt"] = "none"
    unfreeze: tuple[str, ...] = ("all",)
    """What trains from epoch 0, 1, 2 ...: `head`, a layer of the backbone (with all after it), `all`."""
    clip_norm: Annotated[float, Field(ge=0)] = 1.0
    monitor: Literal["val/loss", "val/accuracy"] = "val/loss"
    patience: Count = 0
    """Epochs without improvement before training stops; 0 is never."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    threads: Count = 0
    """CPU threads; 0 is all cores."""


class Evaluate(Section):
    """What is measured on the test split, after thresholds and temperature were fitted on validation."""

    bootstrap: Positive = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    threshold: Literal["max_f1", "half"] = "max_f1"
    """Rule for the threshold of a binary task."""
    sure: Share = 0.6
    """Probability below which an answer is marked as not sure."""
    gallery: Count = 24


class Export(Section):
    """The bundle."""

    parity: Rate = 0.001
    """Largest difference of probabilities between the exported graph and torch."""
    max_bytes: Positive = 20_000_000
    max_pixels: Positive = 50_000_000
    """Limits on what the served model accepts."""


class Promote(Section):
    """When a challenger becomes champion."""

    metric: str = "accuracy"
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """A challenger must be better by more than this."""
    floors: dict[str, float] = {"accuracy": 0.8}
    """What a first champion must reach."""


# Sections that a task may set for itself, with the model that holds them.
SECTIONS: dict[str, type[Section]] = {
    "input": Input,
    "backbone": Backbone,
    "head": Head,
    "index": Index,
    "validate": Validation,
    "split": Split,
    "prepare": Prepare,
    "augment": Augment,
    "train": Train,
    "evaluate": Evaluate,
    "export": Export,
    "promote": Promote,
}


class TaskPlan(Section):
    """Everything that is set for one task: its own settings over the defaults."""

    name: str
    seed: int
    kind: Literal["binary", "multiclass"]
    images: Path
    label: Label
    input: Input
    backbone: Backbone
    head: Head
    index: Index
    validation: Validation = Field(alias="validate")
    split: Split
    prepare: Prepare
    augment: Augment
    train: Train
    evaluate: Evaluate
    export: Export
    promote: Promote

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "binary" and self.label.classes and len(self.label.classes) != 2:
            raise ValueError("a binary task has two label.classes")
        if self.kind == "multiclass" and self.train.loss == "bce":
            raise ValueError("train.loss bce is for a binary task")
        if not len(self.input.mean) == len(self.input.std) == self.input.channels:
            raise ValueError("input.mean and input.std need one value per channel")
        if self.split.val + self.split.test >= 0.9:
            raise ValueError("split.val and split.test leave less than a tenth to train on")
        return self

    @property
    def loss(self) -> Literal["bce", "cross_entropy"]:
        """The criterion, with `auto` decided."""
        if self.train.loss != "auto":
            return self.train.loss
        return "bce" if self.kind == "binary" else "cross_entropy"

    def as_dict(self) -> dict[str, Any]:
        """Plain values under the names of `params.yaml`."""
        return self.model_dump(mode="json", by_alias=True)


class Task(Section):
    """One entry of `tasks:`; what it sets for a section goes over that section's defaults."""

    kind: Literal["binary", "multiclass"]
    images: Path
    label: Label = Field(default_factory=lambda: Label.model_validate({}))
    input: dict[str, Any] = {}
    backbone: dict[str, Any] = {}
    head: dict[str, Any] = {}
    index: dict[str, Any] = {}
    validation: dict[str, Any] = Field({}, alias="validate")
    split: dict[str, Any] = {}
    prepare: dict[str, Any] = {}
    augment: dict[str, Any] = {}
    train: dict[str, Any] = {}
    evaluate: dict[str, Any] = {}
    export: dict[str, Any] = {}
    promote: dict[str, Any] = {}


class Generate(Section):
    """The embedded data set."""

    seed: int = 7
    scale: Rate = 1.0


class Params(Section):
    """The whole of `params.yaml`."""

    seed: int = 7
    generate: Generate = Generate()
    tasks: Annotated[dict[TaskName, Task], Field(min_length=1)]
    pretrain: Pretrain = Pretrain()
    input: Input = Input()
    backbone: Backbone = Backbone()
    head: Head = Head()
    index: Index = Index()
    validation: Validation = Field(Validation(), alias="validate")
    split: Split = Split()
    prepare: Prepare = Prepare()
    augment: Augment = Augment()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    export: Export = Export()
    promote: Promote = Promote()

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := {"plan", "pretrain"} & set(self.tasks):
            raise ValueError(
                f"a task cannot be called {taken.pop()!r}: that folder of artifacts/ is taken"
            )
        return self

    def task(self, name: str) -> TaskPlan:
        """The plan of the task called `name`.

        Raises:
            ParamsError: there is no such task, or a setting of its own is wrong.
        """
        if name not in self.tasks:
            raise ParamsError(f"no task is called {name!r}; params.yaml has {_names(self.tasks)}")
        task = self.tasks[name].model_dump(by_alias=True)
        defaults = self.model_dump(by_alias=True)
        sections = {s: {**defaults[s], **task[s]} for s in SECTIONS}
        own = {key: task[key] for key in ("kind", "images", "label")}
        return _checked(
            TaskPlan,
            {"name": name, "seed": self.seed, **own, **sections},
            f"params.yaml: tasks.{name}: ",
        )


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check `params.yaml`, every task included.

    Raises:
        ParamsError: the file is missing or wrong; the message names each place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParamsError(
            f"{path} cannot be read ({error.strerror}): run this in the project's folder"
        ) from None
    params = parse(text, path.name)
    for name in params.tasks:
        params.task(name)
    unknown = [name for name in params.pretrain.tasks if name not in params.tasks]
    if unknown:
        raise ParamsError(
            f"{path}: pretrain.tasks names {_names(unknown)}; tasks has {_names(params.tasks)}"
        )
    return params


def parse(text: str, origin: str = "params.yaml") -> Params:
    """Check the text of a `params.yaml` without resolving its tasks."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParamsError(f"{origin} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{origin} must be a mapping of sections")
    return _checked(Params, values, f"{origin}: ")


def load_plan(path: Path) -> TaskPlan:
    """Read a plan that the `plan` stage wrote."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise ParamsError(f"{path} is missing: run `dvc repro plan` first") from None
    return _checked(TaskPlan, values, f"{path}: ")


def _checked(model: type[S], values: dict[str, Any], prefix: str) -> S:
    try:
        return model.model_validate(values)
    except ValidationError as failed:
        lines = [prefix + _explain(model, error) for error in failed.errors()]
        raise ParamsError("\n".join(lines)) from None


def _explain(model: type[BaseModel], error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] != "extra_forbidden":
        return f"{place}: {error['msg']} (it says {error['input']!r})"
    parent, key = error["loc"][:-1], str(error["loc"][-1])
    names = _known(model, parent)
    near = get_close_matches(key, names, n=3, cutoff=0.5) or sorted(names)
    return f"unknown key {place!r}; did you mean {' or '.join(near)}?"


def _known(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys allowed at `loc` inside `model`."""
    for part in loc:
        by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in by_alias:
            model = _model_in(by_alias[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _names(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
