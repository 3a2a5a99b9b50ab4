"""Run a sweep: the workers of an executor speak the missing trials, and each result is saved at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine import measures
from workbench.engine.catalog import get_model
from workbench.engine.errors import OutputError, RunError, SettingsError, WorkbenchError
from workbench.engine.files.writing import write_whole
from workbench.engine.runs.store import list_runs, load_run, run_folder, save_run
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.text import check_text
from workbench.engine.speech.voices import Voice, load_voice, make_voice
from workbench.engine.sweeps import records, tables
from workbench.engine.sweeps.executors import Executor, executor
from workbench.engine.sweeps.grid import Grid, Trial, trial_id
from workbench.engine.sweeps.records import Record
from workbench.engine.sweeps.worker import Outcome, Task, values_of

log = logging.getLogger("workbench.sweeps")
OnRecord = Callable[[Record], None]


@dataclass(frozen=True)
class Sweep:
    """A grid and the folder of its results. Made by ``open_sweep`` or ``find_sweep``.

    Attributes:
        grid: settings of the sweep.
        folder: of the sweep.
        trials: all trials, in the order of speaking.
        voices: ``records.voice_key`` to each voice of the grid.
    """

    grid: Grid
    folder: Path
    trials: tuple[Trial, ...]
    voices: Mapping[str, Voice]

    def records(self) -> dict[str, Record]:
        """Return id to record of the finished trials."""
        return records.read_records(self.folder, self.trials)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per finished trial; see ``tables.rows``."""
        return tables.rows(self.trials, self.records())

    def missing(self) -> list[Trial]:
        """The trials that are still to be spoken, those that failed among them."""
        done = self.records()
        return [t for t in self.trials if t.id not in done or not done[t.id].is_done]

    @cached_property
    def _voice_of(self) -> dict[str, Voice]:
        return {voice.id: voice for voice in self.voices.values()}

    def run(
        self,
        how: Executor | None = None,
        *,
        check: Callable[[], None] = lambda: None,
        on_record: OnRecord = lambda record: None,
    ) -> list[dict[str, Any]]:
        """Speak the missing trials and return the rows of all finished trials. Finished trials stay saved in any case.

        Args:
            how: executor; by default one worker in this process.
            check: called regularly. Raise from it to stop.
            on_record: called with the record of each finished trial.

        Raises:
            SettingsError: another process runs this sweep.
            OutputError: the folder cannot be written.
        """
        try:
            with records.alone_in(self.folder):
                records.write_grid(self.folder, self.grid, self.voices)
                try:
                    self._speak(how or executor(), check, on_record)
                finally:
                    self.write_tables()
        except OSError as error:
            raise OutputError(
                f"The sweep cannot be saved in {self.folder}: {error.strerror or error}.",
                remedy="Correct this and run it again; saved trials are not lost.",
            ) from error
        return self.rows()

    def _speak(self, how: Executor, check: Callable[[], None], on_record: OnRecord) -> None:
        done = self._adopted(self.records())
        missing = [t for t in self.trials if t.id not in done or not done[t.id].is_done]
        log.info("sweep %s: %d of %d trials are missing", self.grid.name, len(missing), len(self.trials))
        if not missing:
            return
        by_id = {trial.id: trial for trial in missing}
        tasks = [Task(t.id, t.request, self._voice_of[t.request.voice.id], measures=self.grid.measures)
                 for t in missing]  # fmt: skip
        outcomes = how.run(tasks, check)
        try:
            for outcome in outcomes:
                on_record(self._keep(by_id[outcome.key], outcome))
        finally:
            getattr(outcomes, "close", lambda: None)()  # ends the workers now, not at garbage collection

    def _keep(self, trial: Trial, outcome: Outcome) -> Record:
        if outcome.run is not None:
            save_run(outcome.run)
        run_id = outcome.run.id if outcome.run is not None else ""
        record = Record(
            trial.id, run_id, trial.repeat, dict(trial.values), dict(outcome.values), outcome.error,
            dict(outcome.worker), outcome.attempts, datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        records.write_record(self.folder, record)
        return record

    def _adopted(self, done: dict[str, Record]) -> dict[str, Record]:
        """Return ``done`` with the runs of this sweep that were saved without a record, because it was killed."""
        known = {record.run for record in done.values()}
        missing = {trial.id: trial for trial in self.trials if trial.id not in done}
        for summary in list_runs():
            if summary.sweep != self.grid.name or summary.id in known or not missing:
                continue
            try:
                run = load_run(summary.id, trajectories=False)
            except WorkbenchError:
                continue
            ids = (trial_id(run.request, repeat) for repeat in range(self.grid.repeats))
            trial = next((missing.pop(i) for i in ids if i in missing), None)
            if trial is not None:
                found = values_of(run, self.grid.measures)
                done[trial.id] = self._keep_adopted(trial, run.id, found)
        return done

    def _keep_adopted(self, trial: Trial, run_id: str, values: dict[str, float | None]) -> Record:
        record = Record(trial.id, run_id, trial.repeat, dict(trial.values), values, "", {"name": "unknown"}, 1,
                        datetime.now(UTC).isoformat(timespec="seconds"))  # fmt: skip
        records.write_record(self.folder, record)
        return record

    def write_tables(self) -> Path:
        """Write the rows as Parquet and CSV; return the path of the Parquet file. Raises OSError."""
        found = self.rows()
        write_whole(self.folder / "results.csv", tables.as_csv(found).encode())
        return write_whole(self.folder / "results.parquet", tables.as_parquet(found))


def open_sweep(grid: Grid, folder: Path | None = None) -> Sweep:
    """Check ``grid`` and return its sweep, without speaking or writing.

    Args:
        grid: settings of the sweep.
        folder: of the sweep; by default ``sweeps/NAME``.

    Raises:
        WorkbenchError: a value is out of its range, or a model, measure, voice or text was not found.
    """
    for name in grid.measures:
        _check_measure(name)
    kept: dict[str, VoiceRef] = {}
    place = folder or records.sweep_folder(grid.name)
    with suppress(RunError):  # no sweep is saved there, or it will be written again
        kept = records.read_grid_of(place)[1]
    voices: dict[str, Voice] = {}

    def voice_of(value: Any, model: str) -> Voice:
        key = records.voice_key(value, model)
        if key not in voices:
            voices[key] = _voice(value, model, kept.get(key))
        return voices[key]

    return Sweep(grid, place, tuple(grid.trials(voice_of, _read_text)), voices)


def find_sweep(name: str) -> Sweep:
    """Return the saved sweep in ``sweeps/NAME``, to show or resume it. Raises as ``open_sweep``, and RunError."""
    folder = records.sweep_folder(name)
    return open_sweep(records.read_grid_of(folder)[0], folder)


def _check_measure(name: str) -> None:
    try:
        found = measures.get(name)
    except KeyError as error:
        known = [m.name for m in measures.every(measures.RUN, measures.SOUND)]
        raise SettingsError(f"There is no measure {name!r}.", remedy=f"Known: {', '.join(known)}.") from error
    if not {measures.RUN, measures.SOUND} & set(found.of):
        raise SettingsError(f"{name} is not a measure of a run.", remedy="Choose one of a run or a sound.")


def _read_text(path: str) -> str:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The text {path} cannot be read: {error}.", remedy="Give a file in UTF-8.") from error
    check_text(text)
    return text


def _voice(value: Any, model: str, kept: VoiceRef | None) -> Voice:
    """Return the voice for ``value``; from the folder of the sweep if its recording was deleted."""
    mel = get_model(model).mel
    if value is None or isinstance(value, str):
        return load_voice(value, mel)
    if not isinstance(value, Mapping) or set(value) != {"recording", "words"}:
        raise SettingsError(
            f"voice is {str(value)[:60]!r}.", remedy='Name a voice, or write {recording = "me.wav", words = "..."}.'
        )
    if kept is not None and not Path(value["recording"]).is_file():
        return records.kept_voice(kept, mel)
    return make_voice(value["recording"], value["words"], mel_config=mel)


def sweep(
    grid: Grid | Mapping[str, Any],
    *,
    workers: int = 1,
    how: str = "",
    threads: int = 0,
    address: str = "",
    folder: str | Path | None = None,
    on_record: OnRecord = lambda record: None,
) -> list[dict[str, Any]]:
    """Speak every trial of ``grid`` that is not on disk yet, and return one row per trial.

    Args:
        grid: from ``grid.read_grid``, or a mapping with the layout of its file.
        workers: number of workers.
        how: "local", "process" or "ray"; by default local for one worker, process for several.
        threads, address: as in ``executors.executor``.
        folder: of the sweep; by default ``sweeps/NAME``.
        on_record: called with the record of each finished trial.

    Raises:
        WorkbenchError: the grid cannot be spoken, or the folder cannot be written.
    """
    wanted = grid if isinstance(grid, Grid) else Grid.from_dict(grid, "sweep")
    chosen = executor(how or ("process" if workers > 1 else "local"), workers, threads=threads, address=address)
    return open_sweep(wanted, Path(folder) if folder else None).run(chosen, on_record=on_record)


def run_of(record: Record) -> Path | None:
    """Return the folder of the trial's run; None if it was deleted."""
    try:
        return run_folder(record.run) if record.run else None
    except RunError:
        return None
