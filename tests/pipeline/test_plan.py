"""plan: settings as every stage will see them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roadworthy.errors import ParamsError
from roadworthy.layout import PLAN
from roadworthy.params import load_plan
from roadworthy.pipeline import plan

TASK = "{kind: binary, images: data/car, label: {classes: [other, car]}"
MEAN = [0.485, 0.456, 0.406]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(project: Path, *lines: str) -> None:
    (project / "params.yaml").write_text("\n".join(lines), encoding="utf-8")


def test_a_size_of_the_backbone_is_written_as_numbers(project: Path) -> None:
    """The other stages know no torchvision, and DVC sees when the numbers change."""
    write(
        project,
        "backbone: {name: inception_v3, weights: null}",
        "input: {size: backbone, margin: 1.0}",
        f"tasks: {{car: {TASK}}}, other: {TASK}, input: {{size: set, height: 80, width: 96}}}}}}",
    )
    plan.run()
    written = yaml.safe_load((PLAN / "car.yaml").read_text())["input"]
    assert (written["size"], written["height"], written["width"]) == ("set", 299, 299)
    assert (written["mean"], written["margin"]) == (MEAN, 1.0)
    assert load_plan(PLAN / "car.yaml").input.height == 299
    assert (load_plan(PLAN / "other.yaml").input.width) == 96
    assert (PLAN / "pretrain.yaml").is_file()


def test_a_backbone_without_a_size_stops_before_anything_is_written(project: Path) -> None:
    """An earlier plan stays."""
    write(project, f"tasks: {{car: {TASK}}}}}")
    plan.run()
    before = (PLAN / "car.yaml").read_bytes()
    write(
        project,
        f"tasks: {{car: {TASK}, backbone: {{name: resnet51}}, input: {{size: backbone}}}}}}",
    )
    with pytest.raises(ParamsError, match="resnet50"):
        plan.run()
    assert (PLAN / "car.yaml").read_bytes() == before


@pytest.mark.parametrize(("size", "imported"), [("set", False), ("backbone", True)])
def test_torch_is_imported_only_where_a_task_asks(project: Path, size: str, imported: bool) -> None:
    """A plan takes a second, torch several."""
    write(project, f"input: {{size: {size}}}", f"tasks: {{car: {TASK}}}}}")
    code = "import sys; from roadworthy.pipeline import plan; plan.run(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(imported)]
