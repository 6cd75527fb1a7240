"""What a search may change: the entries of `tune.space`, each checked before anything is trained."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Self

import yaml
from pydantic import ValidationError, model_validator

from roadworthy import params
from roadworthy.errors import ParamsError
from roadworthy.params import SECTIONS, Section, TaskPlan

# What the stages before training have used up cannot be tried, nor what comes after it.
OPEN = ("backbone", "head", "augment", "train")
# These change what a loss is: a smaller one of another kind is not better.
LOSS = ("train.loss", "train.focal_gamma", "train.label_smoothing", "train.class_weights")
# Drawn numbers are rounded, so that what is pasted into params.yaml is what was trained.
DIGITS = 4
FORM = "a list of choices, or {low: ..., high: ...} with `log: true` and `step: ...` as needed"


class Range(Section):
    """Numbers from `low` to `high`, both included; integers where both are and the setting is one."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None
    kind: Literal["int", "float"] = "float"

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with log, low must be above 0, and there is no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError("step must be above 0, and fit between low and high")
        return self

    def tried(self) -> list[Any]:
        """The values by which the entry is checked."""
        return [self.low, self.high]

    def tidy(self, value: float) -> float:
        """A drawn number with a few digits."""
        if self.kind == "int":
            return int(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def holds(self, value: Any) -> bool:
        """Whether the search could draw this value."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and self.step is None


@dataclass(frozen=True)
class Choice:
    """One of several values of any kind."""

    values: tuple[Any, ...]

    def tried(self) -> list[Any]:
        """The values by which the entry is checked."""
        return list(self.values)

    def holds(self, value: Any) -> bool:
        """Whether the search could draw this value."""
        return value in self.values

    @property
    def words(self) -> list[str]:
        """The values as text, as which a search keeps them."""
        return [json.dumps(value) for value in self.values]


Entry = Range | Choice


def read(plan: TaskPlan) -> dict[str, Entry]:
    """The entries of `tune.space` by the dotted name of the setting.

    Raises:
        ParamsError: a name is unknown or not open to a search, a value cannot be set, or trials could
            not be compared.
    """
    if not plan.tune.space:
        raise ParamsError("tune.space is empty: name the settings that are to be searched")
    present = plan.as_dict()
    entries = {}
    for name, value in plan.tune.space.items():
        if name.partition(".")[0] not in OPEN and name.partition(".")[0] in (*SECTIONS, "seed"):
            raise ParamsError(
                f"tune.space: {name} is not for training; a search can change {', '.join(OPEN)}"
            )
        if plan.tune.metric == "val/loss" and name.startswith(LOSS):
            raise ParamsError(
                f"tune.space: {name} changes what val/loss is, so that it cannot judge; "
                "set tune.metric: val/accuracy, or leave it out"
            )
        entries[name] = entry = _entry(name, value, at(present, name))
        for tried in entry.tried():
            try:
                changed(plan, {name: tried})
            except ParamsError as error:
                raise ParamsError(f"tune.space: {name} cannot be {tried!r}: {error}") from None
    return entries


def changed(plan: TaskPlan, values: Mapping[str, Any]) -> TaskPlan:
    """The plan with other values of the settings with these dotted names.

    Raises:
        ParamsError: a name or a value is wrong, or the values do not go together.
    """
    settings = deepcopy(plan.as_dict())
    for name, value in values.items():
        *parents, key = name.split(".")
        section = settings
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ParamsError(f"{name}: {parent} holds no settings")
        section[key] = value
    settings.pop("name")
    shared = {name: settings.pop(name) for name in ("seed", "scenes")}
    text = yaml.safe_dump({**shared, "tasks": {plan.name: settings}})
    return params.parse(text).task(plan.name)


def at(settings: Mapping[str, Any], name: str) -> Any:
    """The value of the setting with a dotted name; None where there is none."""
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as sections, as they stand in `params.yaml`."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        *parents, key = name.split(".")
        section = result
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
    return result


def _entry(name: str, value: Any, present: Any) -> Entry:
    if isinstance(value, (list, tuple)) and value:
        return Choice(tuple(value))
    if not isinstance(value, dict):
        raise ParamsError(f"tune.space: {name} is {value!r}; it must be {FORM}")
    whole = all(isinstance(value.get(key, 0), int) for key in ("low", "high", "step"))
    kind = "int" if whole and not isinstance(present, float) else "float"
    try:
        return Range.model_validate({**value, "kind": kind})
    except ValidationError as failed:
        problem = "; ".join(
            f"{'.'.join(map(str, error['loc'][:1]))} {error['msg']}".strip()
            for error in failed.errors()
        )
        raise ParamsError(f"tune.space: {name}: {problem}; it must be {FORM}") from None
