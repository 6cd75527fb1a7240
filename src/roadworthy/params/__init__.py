"""`params.yaml` as typed models, and the plan of one task: its settings over the defaults.

`load` reads the file; an unknown key, a wrong type or a value out of range stops with one message
that names the place and the nearest known names. `Params.task` gives the resolved `TaskPlan`.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from roadworthy.errors import ParamsError
from roadworthy.params.driving import Ingest, Monitor, Retrain
from roadworthy.params.sections import (
    Audit,
    Card,
    Evaluate,
    Export,
    Index,
    Input,
    Label,
    Prepare,
    Promote,
    Prune,
    Rate,
    Search,
    Section,
    Split,
    Validation,
)
from roadworthy.params.training import Augment, Backbone, Head, Pretrain, Train, Tune

__all__ = [
    "SECTIONS",
    "Audit",
    "Augment",
    "Backbone",
    "Card",
    "Evaluate",
    "Export",
    "Generate",
    "Head",
    "Index",
    "Ingest",
    "Input",
    "Label",
    "Monitor",
    "Params",
    "Prepare",
    "Pretrain",
    "Promote",
    "Prune",
    "Retrain",
    "Search",
    "Section",
    "Split",
    "Task",
    "TaskPlan",
    "Train",
    "Tune",
    "Validation",
    "load",
    "load_plan",
    "parse",
]

# A task's name is a folder, a stage and a registered model.
TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
S = TypeVar("S", bound="Section")

# Sections that a task may set for itself, with the model that holds them.
SECTIONS: dict[str, type[Section]] = {
    "input": Input,
    "backbone": Backbone,
    "head": Head,
    "index": Index,
    "validate": Validation,
    "audit": Audit,
    "split": Split,
    "prepare": Prepare,
    "augment": Augment,
    "train": Train,
    "tune": Tune,
    "search": Search,
    "evaluate": Evaluate,
    "export": Export,
    "promote": Promote,
    "prune": Prune,
    "monitor": Monitor,
}


class TaskPlan(Section):
    """Everything that is set for one task: its own settings over the defaults."""

    name: str
    seed: int
    kind: Literal["binary", "multiclass"]
    images: Path
    scenes: Path = Path("data/scenes")
    label: Label
    input: Input
    backbone: Backbone
    head: Head
    index: Index
    validation: Validation = Field(alias="validate")
    audit: Audit
    split: Split
    prepare: Prepare
    augment: Augment
    train: Train
    tune: Tune
    search: Search = Search()
    evaluate: Evaluate
    export: Export
    promote: Promote
    prune: Prune
    monitor: Monitor = Monitor()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "binary" and self.label.classes and len(self.label.classes) != 2:
            raise ValueError("a binary task has two label.classes")
        if self.kind == "multiclass" and self.train.loss == "bce":
            raise ValueError("train.loss bce is for a binary task")
        given = self.input.size == "set"
        if given and not len(self.input.mean) == len(self.input.std) == self.input.channels:
            raise ValueError("input.mean and input.std need one value per channel")
        if self.search.enabled and self.kind != "binary":
            raise ValueError(
                "search.enabled is for a binary task: its last label is what is sought"
            )
        if self.search.enabled and self.search.mine and self.input.margin > 1:
            raise ValueError("search.mine needs input.margin 1.0: false alarms come as windows")
        if self.search.smallest > self.search.largest:
            raise ValueError("search.smallest is larger than search.largest")
        if self.split.val + self.split.test >= 0.9:
            raise ValueError("split.val and split.test leave less than a tenth to train on")
        return self

    @property
    def loss(self) -> Literal["bce", "cross_entropy", "focal"]:
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
    sources: tuple[str | Card, ...] = ()
    """What `roadworthy fetch` brings: names of shipped cards, paths of card files, or cards."""
    input: dict[str, Any] = {}
    backbone: dict[str, Any] = {}
    head: dict[str, Any] = {}
    index: dict[str, Any] = {}
    validation: dict[str, Any] = Field({}, alias="validate")
    audit: dict[str, Any] = {}
    split: dict[str, Any] = {}
    prepare: dict[str, Any] = {}
    augment: dict[str, Any] = {}
    train: dict[str, Any] = {}
    tune: dict[str, Any] = {}
    search: dict[str, Any] = {}
    evaluate: dict[str, Any] = {}
    export: dict[str, Any] = {}
    promote: dict[str, Any] = {}
    prune: dict[str, Any] = {}
    monitor: dict[str, Any] = {}


class Generate(Section):
    """The embedded data set."""

    seed: int = 7
    scale: Rate = 1.0


class Params(Section):
    """The whole of `params.yaml`."""

    seed: int = 7
    generate: Generate = Generate()
    scenes: Path = Path("data/scenes")
    """Whole pictures with boxes, for tasks that search."""
    tasks: Annotated[dict[TaskName, Task], Field(min_length=1)]
    pretrain: Pretrain = Pretrain()
    input: Input = Input()
    backbone: Backbone = Backbone()
    head: Head = Head()
    index: Index = Index()
    validation: Validation = Field(Validation(), alias="validate")
    audit: Audit = Audit()
    split: Split = Split()
    prepare: Prepare = Prepare()
    augment: Augment = Augment()
    train: Train = Train()
    tune: Tune = Tune()
    search: Search = Search()
    evaluate: Evaluate = Evaluate()
    export: Export = Export()
    promote: Promote = Promote()
    prune: Prune = Prune()
    monitor: Monitor = Monitor()
    log: Path = Path("logs")
    """Where the service keeps its prediction log (its `ROADWORTHY_LOG`)."""
    ingest: Ingest = Ingest()
    retrain: Retrain = Retrain()

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
            {"name": name, "seed": self.seed, "scenes": self.scenes, **own, **sections},
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
