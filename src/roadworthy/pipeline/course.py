"""The test drive of the gate: the current test rows of a task, and who is driven over them."""

from datetime import UTC, datetime

import pandas as pd

from roadworthy import layout
from roadworthy.errors import DataError, TrackingError
from roadworthy.evaluation.detections import truths
from roadworthy.gate.evidence import Course, Model
from roadworthy.gate.scenes import SceneCourse
from roadworthy.params import TaskPlan
from roadworthy.pipeline import scenes
from roadworthy.pipeline.split import ROWS
from roadworthy.quality.units import units
from roadworthy.tracking import registry
from roadworthy.tracking.registry import Version
from roadworthy.tracking.runs import RunLog

EXPORT = "export"


def course(plan: TaskPlan) -> Course:
    """The test rows as they are split now, cut and shaken as the task's settings say.

    Raises:
        StaleError: the images are not split yet.
        DataError: there are no test rows.
    """
    path = layout.needed(plan.name, "split") / ROWS
    table = pd.read_parquet(path)
    rows = table[table["split"] == "test"].reset_index(drop=True)
    if rows.empty:
        raise DataError(f"{path} has no test rows: nothing can be judged")
    return Course(
        task=plan.name,
        rows=rows,
        units=units(rows),
        slices=plan.promote.slices,
        stress=plan.evaluate.stress,
        seed=plan.seed,
        confidence=plan.promote.confidence,
        scenes=_scenes(plan),
    )


def _scenes(plan: TaskPlan) -> SceneCourse | None:
    """The test scenes of a task that searches."""
    listed = scenes.listed(plan, "test")
    if listed is None:
        return None
    rows = listed.rows
    return SceneCourse(list(rows["path"]), list(rows["sha256"]), truths(rows, listed.found.boxes))


def model_of(version: Version) -> Model:
    """A registered version, with its files."""
    return Model(version.name, registry.bundle_folder(version))


def named(task: str, name: str) -> Model:
    """The model that people call `name`: an alias, a version (`3`, `car/3`), a run's id, or `export`.

    Raises:
        TrackingError: there is none of that name.
    """
    if name == EXPORT:
        return Model(EXPORT, layout.needed(task, EXPORT))
    short = name.removeprefix(f"{task}/")
    if short in registry.ALIASES:
        found = registry.by_alias(task, short)
        if found is None:
            raise TrackingError(f"{task} has no {short}: `roadworthy history --task {task}`")
        return model_of(found)
    known = {str(version.number): version for version in registry.versions(task)}
    if short in known:
        return model_of(known[short])
    uri, digest, figures = RunLog(task, name).exported()
    # To look at a model is no reason to register it.
    looked_at = Version(task, 0, name, digest, figures, datetime.now(UTC), uri)
    return Model(f"run {name[:8]}", registry.bundle_folder(looked_at))
