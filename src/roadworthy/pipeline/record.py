"""The MLflow run of a trained model, found again by its weights or restored from its files."""

import pandas as pd

from roadworthy.layout import needed
from roadworthy.params import TaskPlan
from roadworthy.pipeline.split import ROWS
from roadworthy.pipeline.train import HISTORY, Made
from roadworthy.tracking import lineage
from roadworthy.tracking.runs import RunLog


def run_of(plan: TaskPlan, trained: Made) -> RunLog:
    """The run that `train` began.

    A fresh tracking server, or results that came out of DVC's cache, have none: it is written anew
    from the files, and says so.

    Raises:
        TrackingError: the store cannot be reached.
    """
    found = RunLog.find(plan.name, trained.weights_sha256)
    if found is not None:
        return found
    return RunLog.restore(
        plan.name,
        weights=trained.weights_sha256,
        params=plan.as_dict(),
        lineage=lineage.collect(lineage.params_hash(plan), trained.backbone),
        history=pd.read_csv(needed(plan.name, "train") / HISTORY),
        rows=pd.read_parquet(needed(plan.name, "split") / ROWS),
    )
