"""params.yaml: what is wrong is said before any work, with the nearest names."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadworthy import params
from roadworthy.errors import ParamsError

ROOT = Path(__file__).parents[1]
SMALL = "tasks: {car: {kind: binary, images: data/car, label: {classes: [not_car, car]}}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trian: {}\n" + SMALL, ["'trian'", "train"]),
        ("train: {epohcs: 3}\n" + SMALL, ["'train.epohcs'", "epochs"]),
        ("tasks: {car: {kind: binary, imags: x}}", ["imags", "images"]),
        ("tasks: {car: {kind: binary, images: x, train: {lrr: 1}}}", ["tasks.car", "lrr", "lr"]),
        ("tasks: {car: {kind: both, images: x}}", ["tasks.car.kind", "binary"]),
        ("train: {epochs: 0}\n" + SMALL, ["train.epochs", "greater than or equal to 1"]),
        ("tasks: {}", ["tasks"]),
        ("tasks: {plan: {kind: binary, images: x}}", ["plan", "taken"]),
        ("tasks: {car: {kind: binary, images: x, label: {classes: [a]}}}", ["two label.classes"]),
        ("tasks: {car: {kind: multiclass, images: x, train: {loss: bce}}}", ["bce"]),
        ("input: {channels: 1}\n" + SMALL, ["one value per channel"]),
        ("pretrain: {tasks: [cat]}\n" + SMALL, ["cat", "car"]),
        ("- a list", ["mapping"]),
        ("train: {epochs: [", ["not YAML"]),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, words: list[str], tmp_path: Path) -> None:
    """A typing error in the settings must not silently train with the default."""
    with pytest.raises(ParamsError) as failed:
        params.load(write(tmp_path, text))
    for word in words:
        assert word in str(failed.value)


def test_a_missing_file_says_where_to_be(tmp_path: Path) -> None:
    """The commonest mistake is the wrong folder."""
    with pytest.raises(ParamsError, match="project's folder"):
        params.load(tmp_path / "params.yaml")


def test_own_settings_go_over_the_defaults(tmp_path: Path) -> None:
    """A task changes what it names and keeps the rest of the section."""
    path = write(
        tmp_path,
        "train: {epochs: 7, lr: 0.5}\ntasks: {car: {kind: binary, images: x, train: {lr: 0.25}}}",
    )
    plan = params.load(path).task("car")
    assert (plan.train.epochs, plan.train.lr) == (7, 0.25)


def test_an_unknown_task_is_answered_with_those_there_are() -> None:
    """So that nobody has to open the file to find the name."""
    with pytest.raises(ParamsError, match="brand, car, detector, police"):
        params.load(ROOT / "params.yaml").task("cars")


@given(st.dictionaries(st.sampled_from(sorted(params.SECTIONS)), st.just({}), max_size=12))
def test_a_plan_survives_being_written_and_read(sections: dict[str, Any]) -> None:
    """Stages read the plan back from YAML; nothing may change on the way."""
    text = yaml.safe_dump({**sections, **yaml.safe_load(SMALL)})
    plan = params.parse(text).task("car")
    again = params.TaskPlan.model_validate(yaml.safe_load(yaml.safe_dump(plan.as_dict())))
    assert again == plan


def test_the_shipped_settings_are_right() -> None:
    """`make run` begins with them."""
    checked = params.load(ROOT / "params.yaml")
    assert set(checked.tasks) == {"police", "car", "brand", "detector"}
    assert {name: checked.task(name).loss for name in checked.tasks} == {
        "police": "bce",
        "car": "bce",
        "brand": "cross_entropy",
        "detector": "cross_entropy",
    }
