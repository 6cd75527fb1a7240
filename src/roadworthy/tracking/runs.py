"""The record of one model's making, as one MLflow run that three stages write to.

`train` starts it; `evaluate` and `export` find it again by the weights it made. Where it is not to
be found (results restored from DVC's cache, another tracking server), `restore` writes it anew.
"""

import logging
import signal
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import TrackingError
from roadworthy.tracking import datasets, fields, models, store
from roadworthy.tracking.fields import BUNDLE, ERROR, LINEAGE, MODEL, RESTORED, WEIGHTS

PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 1000
log = logging.getLogger(__name__)


class RunLog:
    """A run of a task; as a context manager after `start` it ends FINISHED, FAILED or KILLED.

    A run that is being trained outlives its tracking server: metrics that cannot be written wait
    for the next call, and what is still missing at the end is reported, not raised. Runs that were
    found again raise at once.
    """

    def __init__(self, task: str, run_id: str, *, patient: bool = False) -> None:
        self.task = task
        self.run_id = run_id
        self.client: MlflowClient = store.client()
        self._patient = patient
        self._pending: list[Metric] = []
        self._weights: str | None = None
        self._monitor: SystemMetricsMonitor | None = None
        self._handler: Any = None

    @classmethod
    def start(
        cls,
        task: str,
        *,
        params: Mapping[str, Any],
        lineage: Lineage,
        rows: pd.DataFrame | None = None,
        note: str = "",
        sample_every: float = 5.0,
    ) -> Self:
        """Open a new run.

        Args:
            params: nested; logged under dotted names.
            rows: the split table (path, label, split), logged as the run's data sets.
            note: a sentence for the run's page.
            sample_every: seconds between measurements of processor, memory and GPU; 0 for none.

        Raises:
            TrackingError: the store cannot be reached.
        """
        self = cls._create(task, params, lineage, rows, note, {}, patient=True)
        if sample_every > 0:
            self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
                self.run_id, sampling_interval=sample_every, tracking_uri=store.connect()
            )
            self._monitor.start()  # type: ignore[no-untyped-call]
        return self

    @classmethod
    def find(cls, task: str, weights: str) -> Self | None:
        """The latest run that made the weights with this SHA-256; None where there is none."""
        return cls._latest(task, f"tags.`{WEIGHTS}` = '{weights}'")

    @classmethod
    def of_bundle(cls, task: str, digest: str) -> Self | None:
        """The latest run that logged the bundle with this digest; None where there is none."""
        return cls._latest(task, f"tags.`{BUNDLE}` = '{digest}'")

    @classmethod
    def restore(
        cls,
        task: str,
        *,
        weights: str,
        params: Mapping[str, Any],
        lineage: Lineage,
        history: pd.DataFrame,
        rows: pd.DataFrame | None = None,
    ) -> Self:
        """Write a finished run from what training left behind.

        Args:
            weights: SHA-256 of the weights.
            history: `history.csv`: the column `epoch` and metrics; empty cells are skipped.
        """
        note = "Restored from the files of an earlier training; times are those of the restoring."
        self = cls._create(task, params, lineage, rows, note, {RESTORED: "true"}, patient=False)
        for row in history.select_dtypes("number").to_dict("records"):
            step = int(row.pop("epoch"))
            self.metrics({str(k): float(v) for k, v in row.items() if pd.notna(v)}, step)
        self._weights = weights
        self.finish()
        return self

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log `split/name` figures of one step (an epoch), in one request."""
        now = int(time.time() * 1000)
        self._pending += [Metric(key, float(value), now, step) for key, value in values.items()]
        self._try("metrics could not be logged", self._flush)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or all files of a folder, to `folder` of the run's artifacts."""

        def copy() -> None:
            write = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
            write(self.run_id, str(path), folder)

        self._try(f"{path} could not be logged", copy)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags of the run."""
        batch = [RunTag(key, value) for key, value in values.items()]
        self._try("tags could not be set", lambda: self.client.log_batch(self.run_id, tags=batch))

    def trained(self, weights: str) -> None:
        """Remember the SHA-256 of the weights, by which the run can be found once it finished."""
        self._weights = weights

    def bundle(self, folder: Path, lineage: Lineage | None = None) -> str:
        """Log a bundle as the run's model, once; `lineage` is the run's own unless given.

        Returns:
            The model's address, `models:/m-...`.
        """
        digest = bundle_format.digest(folder)
        if known := self.model(digest):
            return known
        spec = bundle_format.read_spec(folder)
        record = (lineage or self.lineage()).model_copy(update={"run_id": self.run_id})
        with store.asking(f"{folder} could not be logged"):
            uri = models.log_bundle(
                self.client,
                self.run_id,
                folder,
                record,
                tags={BUNDLE: digest},
                metrics={f"test/{key}": value for key, value in spec.metrics.items()},
            )
        self.tags({BUNDLE: digest, MODEL: uri})
        return uri

    def model(self, digest: str) -> str | None:
        """The address of the run's model if it is the bundle with this digest."""
        tags = self._read_tags()
        return tags.get(MODEL) if tags.get(BUNDLE) == digest else None

    def lineage(self) -> Lineage:
        """The lineage that was recorded when the run was started."""
        return Lineage.model_validate_json(self._read_tags()[LINEAGE])

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        if self._monitor is not None:
            self._monitor.finish()  # type: ignore[no-untyped-call]
            self._monitor = None

        def close() -> None:
            self._flush()
            if self._weights and status == "FINISHED":
                self.client.set_tag(self.run_id, WEIGHTS, self._weights)
            self.client.set_terminated(self.run_id, status)

        self._try(f"the run {self.run_id} could not be closed as {status}", close)

    def __enter__(self) -> Self:
        # Schedulers stop work with SIGTERM, which would end Python without a word to the store.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            self._handler = signal.signal(signal.SIGTERM, _terminated)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None
        if error is None:
            return self.finish()
        killed = isinstance(error, (KeyboardInterrupt, SystemExit))
        if not killed:
            self.tags({ERROR: store.one_line(error)})
        return self.finish("KILLED" if killed else "FAILED")

    @classmethod
    def _create(
        cls,
        task: str,
        params: Mapping[str, Any],
        lineage: Lineage,
        rows: pd.DataFrame | None,
        note: str,
        tags: Mapping[str, str],
        *,
        patient: bool,
    ) -> Self:
        experiment = store.experiment(task)
        client = store.client()
        with store.asking(f"a run of {task} cannot be started"):
            run = client.create_run(
                experiment,
                tags={**fields.tags(lineage, note), **tags},
                run_name=f"{task}-{datetime.now(UTC):%Y%m%d-%H%M}",
            )
            own = lineage.model_copy(update={"run_id": run.info.run_id})
            client.set_tag(run.info.run_id, LINEAGE, own.model_dump_json())
            values = [Param(key, value) for key, value in fields.flatten(params).items()]
            for start in range(0, len(values), PARAMS_PER_BATCH):
                client.log_batch(run.info.run_id, params=values[start : start + PARAMS_PER_BATCH])
            if rows is not None:
                client.log_inputs(
                    run.info.run_id, datasets.inputs(task, rows, lineage.data_version)
                )
        return cls(task, run.info.run_id, patient=patient)

    @classmethod
    def _latest(cls, task: str, condition: str) -> Self | None:
        experiment = store.find_experiment(task)
        if experiment is None:
            return None
        with store.asking(f"the runs of {task} cannot be searched"):
            found = store.client().search_runs(
                [experiment], condition, max_results=1, order_by=["attributes.start_time DESC"]
            )
        return cls(task, found[0].info.run_id) if found else None

    def _read_tags(self) -> dict[str, str]:
        with store.asking(f"the run {self.run_id} cannot be read"):
            tags: dict[str, str] = self.client.get_run(self.run_id).data.tags
        return tags

    def _flush(self) -> None:
        while self._pending:
            self.client.log_batch(self.run_id, metrics=self._pending[:METRICS_PER_BATCH])
            del self._pending[:METRICS_PER_BATCH]

    def _try(self, problem: str, write: Any) -> None:
        try:
            with store.asking(problem):
                write()
        except TrackingError as error:
            if not self._patient:
                raise
            log.warning("%s", error)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
