"""The record of one model's making, as one MLflow run that three stages write to.

`train` starts it; `evaluate` and `export` find it again by the weights it made. Where it is not to
be found (results restored from DVC's cache, another tracking server), `restore` writes it anew.
"""

import json
import logging
import math
import signal
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import mlflow.artifacts
import pandas as pd
from mlflow import MlflowClient
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS
from PIL import Image

from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import TrackingError
from roadworthy.tracking import models, opening, process, store
from roadworthy.tracking.fields import BUNDLE, ERROR, LINEAGE, MODEL, RESTORED, WEIGHTS
from roadworthy.tracking.outbox import Outbox

EVALUATION = "evaluate"
TEST = "test/"
CARD_FILE = f"{EVALUATION}/{bundle_format.CARD}"
log = logging.getLogger(__name__)


class RunLog:
    """A run of a task; as a context manager after `start` it ends FINISHED, FAILED or KILLED.

    A run that is being trained outlives its tracking server: metrics that cannot be written wait
    for the next call, and what is still missing at the end is reported, not raised. A training that
    was killed opens its run again (`resume`) and sends what the store has not got (`replay`). Runs
    that were found again raise at once.
    """

    def __init__(self, task: str, run_id: str, *, patient: bool = False) -> None:
        self.task = task
        self.run_id = run_id
        self.client: MlflowClient = store.client()
        self._patient = patient
        self._outbox = Outbox(self.client, run_id)
        self._weights: str | None = None
        self._monitor: SystemMetricsMonitor | None = None
        self._sample_every = 0.0
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
        name: str = "",
        resume: str | None = None,
        parent: str | None = None,
        sample_every: float = 5.0,
    ) -> Self:
        """Open a run: a new one, or that of a training that was interrupted.

        Runs of the task that say RUNNING though their process died on this machine become KILLED.

        Args:
            params: nested; logged under dotted names.
            rows: the split table (path, label, split), logged as the run's data sets.
            note: a sentence for the run's page.
            name: of a new run; without it the task and the time.
            resume: id of the interrupted run; a new one is begun where this store has none such.
            parent: id of the run below which MLflow shows this one.
            sample_every: seconds between measurements of processor, memory and GPU; 0 for none.

        Raises:
            TrackingError: the store cannot be reached.
        """
        tags = {process.PROCESS: process.me()} | ({"mlflow.parentRunId": parent} if parent else {})
        run_id = opening.open_run(
            task, params, lineage, rows, note=note, tags=tags, name=name, resume=resume
        )
        self = cls(task, run_id, patient=True)
        if run_id == resume:
            with store.asking(f"the run {run_id} cannot be read"):
                self._outbox.recall()
        self._sample_every = sample_every
        self._watch_machine(resume_logging=resume is not None)
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
        tags = {RESTORED: "true"}
        self = cls(task, opening.open_run(task, params, lineage, rows, note=note, tags=tags))
        self.replay(history.to_dict("records"))
        self._weights = weights
        self.finish()
        return self

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log `split/name` figures of one step (an epoch), in one request."""
        self._outbox.add_metrics(values, step, once=self._patient)
        self._send("metrics could not be logged")

    def replay(self, rows: Iterable[Mapping[Any, Any]]) -> None:
        """Send what the store has not got of the metrics of earlier epochs; nothing is sent twice.

        Args:
            rows: of `history.csv`: `epoch` and metrics; what is empty or no number is left out.
        """
        for row in rows:
            numbers = {str(k): float(v) for k, v in row.items() if isinstance(v, (int, float))}
            step = int(numbers.pop("epoch"))
            kept = {key: value for key, value in numbers.items() if not math.isnan(value)}
            self._outbox.add_metrics(kept, step, once=True)
        self._send("earlier metrics could not be sent")

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or all files of a folder, to `folder` of the run's artifacts."""

        def copy() -> None:
            write = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
            write(self.run_id, str(path), folder)

        self._try(f"{path} could not be logged", copy)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags of the run."""
        self._outbox.add_tags(values)
        self._send("tags could not be set")

    def trained(self, weights: str) -> None:
        """Remember the SHA-256 of the weights, by which the run can be found once it finished."""
        self._weights = weights

    def bundle(self, folder: Path, card: str = "", lineage: Lineage | None = None) -> str:
        """Log a bundle as the run's model, once, with its card; `lineage` is the run's own unless given.

        The card that `evaluate` left in the run goes before `card`: it knows what training cost.

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
                # Bundles from before `seen.npy` have their card within the digest: it stays.
                card=(self.card() or card) if (folder / bundle_format.SEEN).is_file() else "",
                tags={BUNDLE: digest},
                metrics={f"test/{key}": value for key, value in spec.metrics.items()},
            )
        self.tags({BUNDLE: digest, MODEL: uri})
        return uri

    def exported(self) -> tuple[str, str, dict[str, float]]:
        """Address and digest of the run's bundle, and its figures on test images.

        Raises:
            TrackingError: there is no such run, or it exported nothing.
        """
        with store.asking(f"the run {self.run_id} cannot be read"):
            run = self.client.get_run(self.run_id)
        if run.info.experiment_id != store.find_experiment(self.task):
            raise TrackingError(f"the run {self.run_id} is not one of {self.task}")
        data = run.data
        if MODEL not in data.tags or BUNDLE not in data.tags:
            raise TrackingError(
                f"the run {self.run_id} exported no model: `dvc repro export@{self.task}` does"
            )
        figures = {k.removeprefix(TEST): v for k, v in data.metrics.items() if k.startswith(TEST)}
        return data.tags[MODEL], data.tags[BUNDLE], figures

    def model(self, digest: str) -> str | None:
        """The address of the run's model if it is the bundle with this digest."""
        tags = self._read_tags()
        return tags.get(MODEL) if tags.get(BUNDLE) == digest else None

    def text(self, text: str, name: str) -> None:
        """Write a text file of the run's artifacts, such as `evaluate/card.md`."""
        self._try(
            f"{name} could not be logged", lambda: self.client.log_text(self.run_id, text, name)
        )

    def table(self, rows: pd.DataFrame, name: str) -> None:
        """Write rows as a table that MLflow shows side by side for several runs, such as `x.json`.

        It takes the place of an earlier one; MLflow's own `log_table` would add the rows to it.
        """
        self.text(rows.to_json(orient="split", index=False), name)
        self.tags({MLFLOW_LOGGED_ARTIFACTS: json.dumps([{"path": name, "type": "table"}])})

    def image(self, image: Image.Image, key: str) -> None:
        """Log an image under a key; MLflow shows the same key of several runs side by side."""
        self._try(
            f"{key} could not be logged",
            lambda: self.client.log_image(self.run_id, image, key=key, step=0),
        )

    def files(self, folder: str) -> list[str]:
        """Paths of the run's artifacts directly below `folder`."""
        with store.asking(f"the run {self.run_id} cannot be read"):
            return [file.path for file in self.client.list_artifacts(self.run_id, folder)]

    def card(self) -> str | None:
        """The card that was logged with the evaluation; None where there is none."""
        if CARD_FILE not in self.files(EVALUATION):
            return None
        with store.asking(f"the card of the run {self.run_id} cannot be read"):
            text: str = mlflow.artifacts.load_text(f"runs:/{self.run_id}/{CARD_FILE}")
        return text

    def lineage(self) -> Lineage:
        """The lineage that was recorded when the run was started."""
        return Lineage.model_validate_json(self._read_tags()[LINEAGE])

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        with store.hurried():
            self._stop_watching()

        def close() -> None:
            self._outbox.send()
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

    def _send(self, problem: str) -> None:
        """In passing while training; all at once for a run that was found again."""
        was_away = self._outbox.away
        self._try(problem, self._outbox.send_in_passing if self._patient else self._outbox.send)
        if was_away and not self._outbox.away:
            log.warning("the tracking store is back: nothing is missing in run %s", self.run_id)
            self._stop_watching()
            self._watch_machine(resume_logging=True)

    def _watch_machine(self, *, resume_logging: bool) -> None:
        """Measure the machine; MLflow stops doing so for good when its server is gone."""
        if self._sample_every > 0:
            self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
                self.run_id,
                sampling_interval=self._sample_every,
                resume_logging=resume_logging,
                tracking_uri=store.connect(),
            )
            self._monitor.start()  # type: ignore[no-untyped-call]

    def _stop_watching(self) -> None:
        if self._monitor is not None:
            self._monitor.finish()  # type: ignore[no-untyped-call]
            self._monitor = None

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
