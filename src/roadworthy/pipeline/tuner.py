"""One process's part in a search: take a trial, train it, say what it reached."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from roadworthy.data import cached
from roadworthy.data.cached import Cache
from roadworthy.data.extended import Extended
from roadworthy.errors import ParamsError, StaleError
from roadworthy.layout import PLAN, PRETRAIN, needed
from roadworthy.models.build import Network
from roadworthy.params import TaskPlan, load_plan
from roadworthy.pipeline import pretrain, scenes
from roadworthy.pipeline.fitting import SHAPES, begin, fitted
from roadworthy.tracking import lineage, process
from roadworthy.tracking.runs import RunLog
from roadworthy.training.history import read_history
from roadworthy.training.optimising import mode_of
from roadworthy.training.watch import DivergedError
from roadworthy.tuning import space
from roadworthy.tuning.search import Claim, PrunedError, Search

SEARCHES = Path(".cache") / "tune"
# What the stages before training have used; a plan that differs here is not what was prepared.
PREPARED = ("kind", "images", "label", "input", "split", "prepare")
SOURCE = {"mlflow.source.name": "roadworthy tune"}
TRIAL = "roadworthy.trial"
Source = Cache | Extended


class Tuner:
    """The search of one task, as a process takes part in it."""

    def __init__(self, plan: TaskPlan, parent: int | None = None) -> None:
        """Check all that can be wrong before anything is trained.

        Raises:
            ParamsError: `tune.space` names what is unknown, or values that cannot be.
            StaleError: what training needs has not been made, or with other settings.
        """
        self.parent = parent
        # One process trains a trial: more of them are better used for more trials at once.
        one = plan.train.model_copy(update={"processes": 1})
        self.plan = plan = plan.model_copy(update={"train": one})
        self.entries = space.read(plan)
        self.data = scenes.learned(plan, cached.load(needed(plan.name, "prepare")))
        _fresh(plan)
        backbone = _networks(plan, self.entries, self.data)
        self.origin = lineage.collect(lineage.params_hash(plan), backbone)
        self.search = Search(
            SEARCHES / f"{plan.name}-{_identity(plan, self.data, backbone)}",
            plan.tune,
            self.entries,
            plan.seed,
            process=process.me(),
            gone=process.gone,
        )

    def work(self) -> None:
        """Train trials until there are as many as were asked for."""
        while claim := self.search.claim():
            try:
                self._trial(claim)
            except BaseException:
                claim.cut_off()
                raise

    def _trial(self, claim: Claim) -> None:
        try:
            plan = space.changed(self.plan, claim.values)
        except ParamsError as error:
            claim.prune(f"the values do not go together: {error}")
            return
        kept = self.search.folder / f"trial-{lineage.params_hash(plan)[:16]}"
        kept.mkdir(exist_ok=True)
        network, _ = begin(plan, self.data.labels)
        with self._record(plan, claim.number, kept) as record:
            try:
                value = self._train(plan, network, kept, record, claim)
                claim.complete(value)
                record.metrics({f"best/{self.plan.tune.metric}": value})
                record.tags({TRIAL: "complete"})
            except (PrunedError, DivergedError) as reason:
                claim.prune(str(reason))
                record.tags({TRIAL: f"pruned: {reason}"})
        shutil.rmtree(kept)
        self._say(claim)

    def _train(
        self, plan: TaskPlan, network: Network, kept: Path, record: RunLog, claim: Claim
    ) -> float:
        """The searched metric at the epoch whose weights `train` would keep."""
        metric, monitor = plan.tune.metric, plan.train.monitor

        def report(epoch: int, row: dict[str, float]) -> None:
            record.metrics(row, epoch)
            claim.report(epoch, row[metric])
            if self.parent is not None and os.getppid() != self.parent:
                raise SystemExit("the search that started this process has ended")

        history = kept / "history.csv"
        for row in read_history(history) if history.is_file() else ():
            report(row["epoch"], {key: value for key, value in row.items() if key != "epoch"})
        rows = fitted(plan, self.data, network, kept, report, f"trial {claim.number}")
        sign = 1 if mode_of(monitor) == "min" else -1
        return float(min(rows, key=lambda row: sign * row[monitor])[metric])

    def _record(self, plan: TaskPlan, number: int, kept: Path) -> RunLog:
        """The trial's run, below that of the search; the same one where a trial is taken up again."""
        known = kept / "run"
        record = RunLog.start(
            plan.name,
            params=plan.as_dict(),
            lineage=self.origin.model_copy(update={"params_hash": lineage.params_hash(plan)}),
            name=f"trial-{number:03d}",
            parent=self.search.run_id,
            resume=known.read_text(encoding="utf-8") if known.is_file() else None,
        )
        known.write_text(record.run_id, encoding="utf-8")
        record.tags(SOURCE)
        return record

    def _say(self, claim: Claim) -> None:
        """One line about the trial that has ended."""
        told = next(t for t in self.search.trials() if t.number == claim.number)
        best = self.search.best()
        value = "" if told.value is None else f" {self.plan.tune.metric} {told.value:.4g}"
        so_far = f" (best {best.value:.4g}, trial {best.number})" if best else ""
        settings = ", ".join(f"{name} {value}" for name, value in told.values.items())
        note = f"; {told.note}" if told.note else ""
        print(f"trial {told.number}: {told.state}{value}{so_far}: {settings}{note}", flush=True)


def _fresh(plan: TaskPlan) -> None:
    """Stop where the images were prepared with other settings than `params.yaml` has now."""
    made = load_plan(PLAN / f"{plan.name}.yaml").as_dict()
    now = plan.as_dict()
    stale = [name for name in PREPARED if made[name] != now[name]]
    if stale:
        raise StaleError(
            f"{', '.join(stale)} of {plan.name} changed since its images were prepared: "
            f"run `dvc repro prepare@{plan.name} pretrain` first"
        )
    if plan.backbone.weights == "pretrain" and not (PRETRAIN / pretrain.WEIGHTS).is_file():
        raise StaleError(
            f"{PRETRAIN / pretrain.WEIGHTS} is missing: run `dvc repro pretrain` first"
        )


def _networks(plan: TaskPlan, entries: dict[str, space.Entry], data: Source) -> str | None:
    """What training begins from; every network that the search may ask for can be made."""
    for name, entry in entries.items():
        if name.startswith(("backbone.", "head.")):
            for value in entry.tried():
                begin(space.changed(plan, {name: value}), data.labels)
    return begin(plan, data.labels)[1]


def _identity(plan: TaskPlan, data: Source, backbone: str | None) -> str:
    """Names a search: the same space around the same settings, images and start."""
    asked: list[Any] = [plan.tune.metric, plan.tune.space]
    parts = [*asked, plan.model_dump(mode="json", include=SHAPES), data.digest, backbone]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
