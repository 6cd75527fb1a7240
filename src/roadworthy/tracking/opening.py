"""A run is opened: made with all that explains it, or taken up again where it was interrupted."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Param, Run
from mlflow.exceptions import MlflowException

from roadworthy.bundle.format import Lineage
from roadworthy.tracking import datasets, fields, process, store
from roadworthy.tracking.fields import CHANGED, ERROR, LINEAGE, RESUMED

PARAMS_PER_BATCH = 100
log = logging.getLogger(__name__)


def open_run(
    task: str,
    params: Mapping[str, Any],
    lineage: Lineage,
    rows: pd.DataFrame | None,
    *,
    note: str = "",
    tags: Mapping[str, str],
    name: str = "",
    resume: str | None = None,
) -> str:
    """The id of a new run, or `resume` if this store has that run.

    What explains the run is written in both cases: the first process may have been killed while it
    wrote. Parameters that a resumed run has with other values stay; a tag says what they are now.

    Raises:
        TrackingError: the store cannot be reached.
    """
    experiment = store.experiment(task)
    client = store.client()
    tags = {**fields.tags(lineage, note), **tags}
    with store.asking(f"a run of {task} cannot be started"):
        process.end_dead_runs(client, experiment, keep=resume)
        found = _find(client, experiment, resume) if resume else None
        flat = fields.flatten(params)
        if found is not None:
            known = found.data.params
            changed = {key: value for key, value in flat.items() if known.get(key, value) != value}
            run_id = _reopen(
                client, found, tags | ({CHANGED: json.dumps(changed)} if changed else {})
            )
            # MLflow lets nobody change a parameter, not even one that makes no difference here.
            flat = {key: value for key, value in flat.items() if key not in known}
        else:
            name = name or f"{task}-{datetime.now(UTC):%Y%m%d-%H%M}"
            run_id = client.create_run(experiment, tags=tags, run_name=name).info.run_id
        own = _continued(found, lineage).model_copy(update={"run_id": run_id})
        client.set_tag(run_id, LINEAGE, own.model_dump_json())
        values = [Param(key, value) for key, value in flat.items()]
        for start in range(0, len(values), PARAMS_PER_BATCH):
            client.log_batch(run_id, params=values[start : start + PARAMS_PER_BATCH])
        if rows is not None:
            client.log_inputs(run_id, datasets.inputs(task, rows, lineage.data_version))
    return run_id


def _find(client: MlflowClient, experiment: str, run_id: str) -> Run | None:
    """The run; None, which is said, where this store has it not, or no longer."""
    try:
        found = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    else:
        if found.info.lifecycle_stage == "active" and found.info.experiment_id == experiment:
            return found
    log.warning("the interrupted run %s is not in this store: a new one is begun", run_id)
    return None


def _continued(found: Run | None, now: Lineage) -> Lineage:
    """The lineage of a training that goes on: begun from other code, or from changes, it stays dirty."""
    known = found.data.tags.get(LINEAGE) if found else None
    if known is None:
        return now
    before = Lineage.model_validate_json(known)
    same = before.git_commit == now.git_commit and not before.git_dirty
    return now if same else now.model_copy(update={"git_dirty": True})


def _reopen(client: MlflowClient, run: Run, tags: Mapping[str, str]) -> str:
    """RUNNING again, by this process, without the error it may have ended with."""
    run_id: str = run.info.run_id
    client.update_run(run_id, status="RUNNING")
    if ERROR in run.data.tags:
        client.delete_tag(run_id, ERROR)
    times = int(run.data.tags.get(RESUMED, 0)) + 1
    for key, value in {**tags, RESUMED: str(times)}.items():
        client.set_tag(run_id, key, value)
    return run_id
