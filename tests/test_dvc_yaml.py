"""dvc.yaml tells the truth about what each stage depends on."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadworthy import params
from roadworthy.layout import STAGES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
DVC: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
# Leaves hold no rules of their own, tracking only reports.
NOT_FOLLOWED = (
    "errors",
    "environment",
    "layout",
    "page",
    "progress",
    "params",
    "tracking",
)
# From another stage's module a stage takes names of files and the loading of its results.
OTHER_STAGES = {f"roadworthy.pipeline.{stage}" for stage in STAGES}


def module_file(name: str) -> Path | None:
    """The file of `roadworthy.x.y`, where that is a module."""
    path = SOURCE / name.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("roadworthy"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if module_file(name)} or {str(node.module)}
    return {
        name
        for name in found - OTHER_STAGES - {"roadworthy.pipeline"}
        if name.count(".") and name.split(".")[1] not in NOT_FOLLOWED
    }


def closure(stage: str) -> set[str]:
    """Every file of the library that the stage's module reaches, relative to the project."""
    todo = imported(SOURCE / "roadworthy" / "pipeline" / f"{stage}.py")
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in seen and (file := module_file(name)):
            seen.add(name)
            todo |= imported(file)
    files = {module_file(name) for name in seen}
    return {file.relative_to(ROOT).as_posix() for file in files if file}


def deps(stage: str) -> list[str]:
    entry = DVC[stage].get("do", DVC[stage])
    return [dep for dep in entry["deps"] if dep.startswith("src/")]


def test_the_stages_are_those_of_the_road() -> None:
    """One word per stage: DVC, CLI, modules and flow use the same ones."""
    assert list(DVC) == list(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_all_code_that_a_stage_uses_is_a_dependency(stage: str) -> None:
    """Else `dvc repro` would keep results of code that has changed."""
    listed = deps(stage)
    missing = {
        file
        for file in closure(stage)
        if not any(file == dep or file.startswith(f"{dep}/") for dep in listed)
    }
    assert not missing, f"add to {stage} in dvc.yaml: {sorted(missing)}"


@pytest.mark.parametrize("stage", STAGES)
def test_no_dependency_is_there_for_nothing(stage: str) -> None:
    """A file that no longer matters must not cause an hour of training."""
    used = closure(stage) | {f"src/roadworthy/pipeline/{stage}.py"}
    if stage == "plan":
        used.add("src/roadworthy/params")
    for dep in deps(stage):
        assert (ROOT / dep).exists(), dep
        assert any(file == dep or file.startswith(f"{dep}/") for file in used), dep


@pytest.mark.parametrize("stage", [s for s in STAGES if s != "plan"])
def test_the_sections_a_stage_names_are_in_the_plan(stage: str) -> None:
    """A mistyped section would never change, and the stage never run again."""
    plan = params.load(ROOT / "params.yaml").task("car").as_dict()
    for entry in DVC[stage].get("do", DVC[stage])["params"]:
        for keys in entry.values():
            for key in keys or []:
                value: Any = plan
                for part in key.split("."):
                    assert part in value, key
                    value = value[part]


def test_pretrain_depends_on_the_tasks_it_learns_from() -> None:
    """DVC cannot read a list of dependencies from params.yaml, so the two are compared here."""
    wanted = params.load(ROOT / "params.yaml").pretrain.tasks
    listed = [dep.split("/")[1] for dep in DVC["pretrain"]["deps"] if dep.startswith("artifacts/")]
    assert sorted(listed) == sorted(wanted)


def test_nothing_is_deleted_before_a_stage_runs() -> None:
    """A stage that fails must leave the earlier results."""
    for stage in STAGES:
        entry = DVC[stage].get("do", DVC[stage])
        for out in [*entry["outs"], *entry.get("metrics", []), *entry.get("plots", [])]:
            (options,) = out.values()
            assert options["persist"]
