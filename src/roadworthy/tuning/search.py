"""A search on disk, in which several processes take part, and which a kill does not end: Optuna.

FOLDER/search.log   Optuna's journal: every trial, whoever made it
FOLDER/search.lock  held while a trial is given out, and while the journal is written
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from roadworthy.params import Tune
from roadworthy.tuning.space import Choice, Entry

JOURNAL = "search.log"
PROCESS, RUN, NOTE, RETRIES, PRESENT = "process", "run", "note", "retries", "present"
# Trials that are trained to the end before others are compared with their median.
BEFORE_PRUNING = 4
# Epochs that every trial is given.
AT_LEAST = 1
# Fewer trials say nothing about which setting matters.
BEFORE_IMPORTANCE = 8
# A trial that ended its process this often is given up.
MOST_RETRIES = 2
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class PrunedError(Exception):
    """The trial is worse than the median of the earlier ones; the message says at which epoch."""


@dataclass(frozen=True)
class Trial:
    """A trial as it is on disk."""

    number: int
    state: str
    """complete, pruned or running."""
    value: float | None
    """Of the epoch that training would keep; of a pruned trial, its last epoch's."""
    epochs: int
    values: dict[str, Any]
    """The settings that were tried, by dotted name."""
    note: str
    """Why it was pruned, or that it has the present settings."""


class Search:
    """A search in a folder; any number of processes may have it open.

    With one process the same trials come in the same order, also when it is killed in between: what
    is drawn for a trial depends on the seed, on the trials before it and on nothing else.

    Args:
        process: names this process; `gone` says of such a name whether that process has ended.
    """

    def __init__(
        self,
        folder: Path,
        settings: Tune,
        entries: Mapping[str, Entry],
        seed: int,
        *,
        process: str,
        gone: Callable[[str], bool],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.settings, self.entries = folder, settings, entries
        self._process, self._gone = process, gone
        self._lock = FileLock(folder / "search.lock")
        pruner: BasePruner = (
            MedianPruner(BEFORE_PRUNING, AT_LEAST) if settings.prune else NopPruner()
        )
        journal = folder / JOURNAL
        with self._lock:
            _mend(journal)
            self._study = optuna.create_study(
                study_name=folder.name,
                storage=JournalStorage(JournalFileBackend(str(journal), _Lock(self._lock))),
                sampler=_Seeded(seed),
                pruner=pruner,
                direction="maximize" if settings.metric.endswith("accuracy") else "minimize",
                load_if_exists=True,
            )

    @property
    def run_id(self) -> str | None:
        """The run in which the search is recorded."""
        found: str | None = self._study.user_attrs.get(RUN)
        return found

    @run_id.setter
    def run_id(self, run_id: str) -> None:
        self._study.set_user_attr(RUN, run_id)

    def begin(self, present: Mapping[str, Any]) -> None:
        """Let the first trial have the present settings, where the search could draw them."""
        with self._lock:
            fits = all(entry.holds(present[name]) for name, entry in self.entries.items())
            if fits and not self._study.get_trials(deepcopy=False):
                values = {n: _kept(entry, present[n]) for n, entry in self.entries.items()}
                self._study.enqueue_trial(values, user_attrs={PRESENT: True})

    def claim(self) -> "Claim | None":
        """The next trial for this process; None when there are as many as were asked for.

        Trials of processes that have ended are given out again.
        """
        with self._lock:
            trials = self._study.get_trials(deepcopy=False)
            for trial in trials:
                owner = trial.user_attrs.get(PROCESS)
                # Without an owner it died while it was given out: nobody else holds the lock.
                if trial.state == TrialState.RUNNING and (owner is None or self._gone(owner)):
                    self._cut_off(trial)
            trials = self._study.get_trials(deepcopy=False)
            if sum(trial.state in COUNTED for trial in trials) >= self.settings.trials:
                return None
            asked = self._study.ask()
            asked.set_user_attr(PROCESS, self._process)
            values = {name: _drawn(asked, name, e) for name, e in self.entries.items()}
        return Claim(self, asked, values)

    def busy(self) -> bool:
        """Whether another process trains a trial of this search."""
        owners = (
            trial.user_attrs.get(PROCESS)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state == TrialState.RUNNING
        )
        return any(o not in (None, self._process) and not self._gone(o) for o in owners)

    def trials(self) -> list[Trial]:
        """All but those that were cut off, in the order in which they began."""
        states = {state: state.name.lower() for state in COUNTED}
        found = self._study.get_trials(deepcopy=False)
        return [self._told(t, states[t.state]) for t in found if t.state in COUNTED]

    def best(self) -> Trial | None:
        """The best of the completed trials, the first one of equals."""
        done = [trial for trial in self.trials() if trial.state == "complete"]
        sign = -1 if self.settings.metric.endswith("accuracy") else 1
        return min(done, key=lambda trial: sign * (trial.value or 0.0), default=None)

    def importances(self) -> dict[str, float]:
        """The share of each setting in how much completed trials differ, largest first.

        By fANOVA (Hutter et al. 2014), a random forest; empty while there are too few trials.
        """
        done = [trial for trial in self.trials() if trial.state == "complete"]
        if len(done) < BEFORE_IMPORTANCE or len({trial.value for trial in done}) < 2:
            return {}
        found = get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {name: float(share) for name, share in found.items()}

    def _told(self, trial: FrozenTrial, state: str) -> Trial:
        entries = {n: e for n, e in self.entries.items() if n in trial.params}
        values = {name: _value(entry, trial.params[name]) for name, entry in entries.items()}
        note = trial.user_attrs.get(NOTE, "")
        if state == "pruned" and not note:
            note = f"given up: it ended its process {MOST_RETRIES + 1} times"
        if trial.user_attrs.get(PRESENT):
            note = ", ".join(filter(None, ("present settings", note)))
        epochs = len(trial.intermediate_values)
        return Trial(trial.number, state, trial.value, epochs, values, note)

    def _cut_off(self, trial: FrozenTrial) -> None:
        """The trial does not count, and the same values are tried again; not for ever."""
        retries = trial.user_attrs.get(RETRIES, 0) + 1
        if retries > MOST_RETRIES:
            self._study.tell(trial.number, state=TrialState.PRUNED)
            return
        self._study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            known = {key: value for key, value in trial.user_attrs.items() if key == PRESENT}
            self._study.enqueue_trial(trial.params, user_attrs={RETRIES: retries, **known})


class Claim:
    """A trial that this process has taken; it must be told how it ended."""

    def __init__(self, search: Search, trial: optuna.Trial, values: dict[str, Any]) -> None:
        self.number, self.values = trial.number, values
        self._search, self._trial = search, trial
        self._epochs: set[int] = set()

    def report(self, epoch: int, value: float) -> None:
        """Say what an epoch reached.

        Raises:
            PrunedError: it is not worth going on.
        """
        if epoch in self._epochs:
            return
        self._epochs.add(epoch)
        self._trial.report(value, epoch)
        if self._trial.should_prune():
            raise PrunedError(f"worse than the median after epoch {epoch + 1}")

    def complete(self, value: float) -> None:
        """The trial reached its end."""
        self._search._study.tell(self._trial, value)

    def prune(self, note: str) -> None:
        """The trial counts, and was not worth going on with."""
        self._trial.set_user_attr(NOTE, note)
        self._search._study.tell(self._trial, state=TrialState.PRUNED)

    def cut_off(self) -> None:
        """This process ends, and perhaps before the trial, which another one then takes up."""
        with self._search._lock:
            trial = self._search._study.get_trials(deepcopy=False)[self.number]
            if trial.state == TrialState.RUNNING:
                self._search._cut_off(trial)


class _Seeded(BaseSampler):
    """TPE whose draws for a trial depend on how many valid trials were before it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._inner = TPESampler(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        index = sum(one.state in COUNTED for one in earlier)
        self._inner = TPESampler(seed=(self._seed * 100_003 + index) % 2**32)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, distribution: BaseDistribution
    ) -> Any:
        return self._inner.sample_independent(study, trial, param_name, distribution)


class _Lock(JournalFileOpenLock):
    """The system lets go of it when its process dies; Optuna's own would be in the way for 30 s."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _mend(journal: Path) -> None:
    """Take away a last line that was cut short when the power went."""
    if journal.is_file() and (text := journal.read_bytes()) and not text.endswith(b"\n"):
        with journal.open("rb+") as file:
            file.truncate(text.rfind(b"\n") + 1)


def _drawn(trial: optuna.Trial, name: str, entry: Entry) -> Any:
    if isinstance(entry, Choice):
        return _value(entry, trial.suggest_categorical(name, entry.words))
    if entry.kind == "int":
        step = int(entry.step or 1)
        drawn = trial.suggest_int(name, int(entry.low), int(entry.high), step=step, log=entry.log)
        return _value(entry, drawn)
    low, high = float(entry.low), float(entry.high)
    return _value(entry, trial.suggest_float(name, low, high, step=entry.step, log=entry.log))


def _value(entry: Entry, kept: Any) -> Any:
    return json.loads(kept) if isinstance(entry, Choice) else entry.tidy(kept)


def _kept(entry: Entry, value: Any) -> Any:
    return json.dumps(value) if isinstance(entry, Choice) else value
