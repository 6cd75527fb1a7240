"""What a search may draw can be set, and what cannot be set stops it before the first trial."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadworthy import params
from roadworthy.errors import ParamsError
from roadworthy.params import TaskPlan
from roadworthy.tuning import page, space
from roadworthy.tuning.search import Trial
from roadworthy.tuning.space import Choice, Range

SETTINGS = """
tasks:
  car:
    kind: binary
    images: data/car
    label: {classes: [not_car, car]}
    train: {epochs: 5, batch_size: auto}
"""


def plan(**entries: Any) -> TaskPlan:
    made = params.parse(SETTINGS).task("car")
    metric = entries.pop("metric", "val/loss")
    named = {name.replace("__", "."): value for name, value in entries.items()}
    return made.model_copy(
        update={"tune": made.tune.model_copy(update={"space": named, "metric": metric})}
    )


def test_the_default_space_can_be_searched() -> None:
    """Protects `roadworthy tune` as it comes."""
    made = params.parse(SETTINGS).task("car")
    assert set(space.read(made)) == set(made.tune.space)


def test_each_form_is_understood() -> None:
    """Protects the words that a person writes, 1e-4 as YAML reads it (a text) among them."""
    found = space.read(
        plan(
            train__lr={"low": "1e-4", "high": 1, "log": True},
            train__epochs={"low": 2, "high": 8, "step": 2},
            train__batch_size={"low": 8, "high": 64, "log": True},
            augment__rotate={"low": 0, "high": 30},
            train__optimizer=["adam", "sgd"],
            head__hidden=[[], [512, 256]],
            train__class_weights=["none", {"car": 2.0, "not_car": 1}],
            metric="val/accuracy",
        )
    )
    kinds = {name: entry.kind for name, entry in found.items() if isinstance(entry, Range)}
    assert kinds == {
        "train.lr": "float",
        "train.epochs": "int",
        "train.batch_size": "int",
        "augment.rotate": "float",
    }
    assert found["train.lr"].tried() == [0.0001, 1.0]
    assert found["head.hidden"] == Choice(([], [512, 256]))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({}, "tune.space is empty"),
        ({"train.lrr": [0.1]}, "did you mean lr"),
        ({"trian.lr": [0.1]}, "did you mean train"),
        ({"lr": [0.1]}, "unknown key"),
        ({"train.lr": [0.1, -1]}, "train.lr cannot be -1"),
        ({"train.lr": {"low": 0, "high": 1.0}}, "train.lr cannot be 0"),
        ({"train.lr": {"low": 0, "high": 1, "log": True}}, "low must be above 0"),
        ({"train.lr": {"low": 0.1, "high": 0.01}}, "low must be below high"),
        ({"train.lr": {"low": 0.1, "hihg": 0.2}}, "high"),
        ({"train.lr": {"low": 0.1, "high": 0.2, "step": 0.5}}, "step must be"),
        ({"train.lr": 0.1}, "must be a list of choices"),
        ({"train.lr": []}, "must be a list of choices"),
        ({"train.lr.deeper": [0.1]}, "holds no settings"),
        ({"train.optimizer": ["adam", "lion"]}, "train.optimizer cannot be 'lion'"),
        ({"train.epochs": {"low": 1, "high": 2.5}}, "train.epochs cannot be 2.5"),
        ({"split.val": [0.1, 0.2]}, "split.val is not for training"),
        ({"input.height": [32, 64]}, "input.height is not for training"),
        ({"train.label_smoothing": [0, 0.1]}, "changes what val/loss is"),
        ({"train.class_weights.car": [1, 2]}, "changes what val/loss is"),
        ({"seed": [1, 2]}, "seed is not for training"),
    ],
)
def test_what_cannot_be_tried_stops_before_the_first_trial(
    entries: dict[str, Any], words: str
) -> None:
    """Protects a night of computing from a typing error that shows in the morning."""
    with pytest.raises(ParamsError, match=words):
        space.read(plan(**entries))


def test_values_change_their_settings_and_no_others() -> None:
    """Protects trials from each other, and from settings that nobody asked for."""
    before = plan(train__lr=[0.1])
    after = space.changed(before, {"train.lr": 0.5, "head.hidden": [16]})
    assert (after.train.lr, after.head.hidden) == (0.5, (16,))
    assert before.train.lr == 0.001
    same = after.as_dict() | {"train": before.as_dict()["train"], "head": before.as_dict()["head"]}
    assert same == before.as_dict()
    assert space.changed(before, {}) == before


@given(
    st.floats(1e-9, 1e9),
    st.floats(1.001, 1e6),
    st.floats(0, 1),
)
def test_a_tidy_number_is_within_its_range_and_near(low: float, factor: float, at: float) -> None:
    """Protects the pasted settings: they are what was trained, and nothing out of range was."""
    entry = Range(low=low, high=low * factor)
    value = low + at * (low * factor - low)
    tidy = entry.tidy(value)
    assert entry.low <= tidy <= entry.high
    assert tidy == pytest.approx(min(max(value, entry.low), entry.high), rel=1e-3)


@given(
    st.fixed_dictionaries(
        {
            "train.lr": st.floats(1e-5, 1.0),
            "train.optimizer": st.sampled_from(["adam", "sgd"]),
            "head.hidden": st.lists(st.integers(1, 9), max_size=3),
            "augment.crop_scale": st.tuples(st.just(0.5), st.just(1.0)).map(list),
        }
    )
)
def test_what_is_pasted_into_params_yaml_is_what_was_tried(values: dict[str, Any]) -> None:
    """Protects the one thing that a person takes from a search."""
    text = page.snippet("car", Trial(0, "complete", 0.1, 1, values, ""))
    pasted = yaml.safe_load(SETTINGS)
    for section, settings in yaml.safe_load(text)["tasks"]["car"].items():
        task = pasted["tasks"]["car"]
        task[section] = {**task.get(section, {}), **settings}
    made = params.parse(yaml.safe_dump(pasted)).task("car")
    assert made == space.changed(params.parse(SETTINGS).task("car"), values)
