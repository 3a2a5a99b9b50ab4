"""Speak trials with the workers of an executor, each once: every result is saved at once, and found again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench.engine.errors import WorkbenchError
from workbench.engine.runs.store import list_runs, load_run, save_run
from workbench.engine.speech.voices import Voice
from workbench.engine.sweeps import records
from workbench.engine.sweeps.executors import Executor
from workbench.engine.sweeps.grid import Trial, trial_id
from workbench.engine.sweeps.records import Record
from workbench.engine.sweeps.worker import Outcome, Task, values_of

log = logging.getLogger("workbench.sweeps")
OnRecord = Callable[[Record], None]


@dataclass(frozen=True)
class Batch:
    """Trials and the folder with the records of those that are finished.

    Attributes:
        name: of the sweep in the requests of the trials.
        folder: of the records.
        trials: all trials, in the order of speaking.
        voices: id to voice.
        measures: names of measures of the sound to compute for every run.
    """

    name: str
    folder: Path
    trials: tuple[Trial, ...]
    voices: Mapping[str, Voice]
    measures: tuple[str, ...] = ()

    def records(self) -> dict[str, Record]:
        """Return id to record of the finished trials."""
        return records.read_records(self.folder, self.trials)

    def missing(self) -> list[Trial]:
        """The trials that are still to be spoken, those that failed among them."""
        return self._missing(self.records())

    def _missing(self, done: Mapping[str, Record]) -> list[Trial]:
        return [t for t in self.trials if t.id not in done or not done[t.id].is_done]

    def speak(self, how: Executor, check: Callable[[], None], on_record: OnRecord) -> None:
        """Speak the missing trials with ``how``; save each run and its record. ``alone_in`` must be held.

        Args:
            how: executor.
            check: called regularly. Raise from it to stop.
            on_record: called with the record of each trial that is finished now.
        """
        missing = self._missing(self._adopted(self.records()))
        log.info("%s: %d of %d trials are missing", self.name, len(missing), len(self.trials))
        if not missing:
            return
        by_id = {trial.id: trial for trial in missing}
        tasks = [self._task(trial) for trial in missing]
        outcomes = how.run(tasks, check)
        try:
            for outcome in outcomes:
                on_record(self._keep(by_id[outcome.key], outcome))
        finally:
            getattr(outcomes, "close", lambda: None)()  # ends the workers now, not at garbage collection

    def _task(self, trial: Trial) -> Task:
        first, *others = (self.voices[voice.id] for voice in trial.request.voices)
        return Task(trial.id, trial.request, first, tuple(others), measures=self.measures)

    def _keep(self, trial: Trial, outcome: Outcome) -> Record:
        if outcome.run is not None:
            save_run(outcome.run)
        run_id = outcome.run.id if outcome.run is not None else ""
        record = Record(
            trial.id, run_id, trial.repeat, dict(trial.values), dict(outcome.values), outcome.error,
            dict(outcome.worker), outcome.attempts, _now(),
        )  # fmt: skip
        records.write_record(self.folder, record)
        return record

    def _adopted(self, done: dict[str, Record]) -> dict[str, Record]:
        """Return ``done`` with the runs of this sweep that were saved without a record, because it was killed."""
        known = {record.run for record in done.values()}
        missing = {trial.id: trial for trial in self.trials if trial.id not in done}
        repeats = 1 + max((trial.repeat for trial in self.trials), default=0)
        for summary in list_runs():
            if summary.sweep != self.name or summary.id in known or not missing:
                continue
            try:
                run = load_run(summary.id, trajectories=False)
            except WorkbenchError:
                continue
            ids = (trial_id(run.request, repeat) for repeat in range(repeats))
            trial = next((missing.pop(i) for i in ids if i in missing), None)
            if trial is not None:
                done[trial.id] = Record(
                    trial.id, run.id, trial.repeat, dict(trial.values), values_of(run, self.measures), "",
                    {"name": "unknown"}, 1, _now(),
                )  # fmt: skip
                records.write_record(self.folder, done[trial.id])
        return done


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
