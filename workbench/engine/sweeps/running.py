"""Run a sweep: the workers of an executor speak the missing trials, and each result is saved at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine import measures
from workbench.engine.catalog import get_model
from workbench.engine.errors import OutputError, RunError, SettingsError
from workbench.engine.files.writing import write_whole
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.text import check_text
from workbench.engine.speech.voices import Voice, load_voice, make_voice, restore_voice
from workbench.engine.sweeps import records, tables
from workbench.engine.sweeps.batch import Batch, OnRecord
from workbench.engine.sweeps.executors import Executor, executor
from workbench.engine.sweeps.grid import Grid, Trial
from workbench.engine.sweeps.records import Record


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

    @cached_property
    def _batch(self) -> Batch:
        voices = {voice.id: voice for voice in self.voices.values()}
        return Batch(self.grid.name, self.folder, self.trials, voices, self.grid.measures)

    def records(self) -> dict[str, Record]:
        """Return id to record of the finished trials."""
        return self._batch.records()

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per finished trial; see ``tables.rows``."""
        return tables.rows(self.trials, self.records())

    def missing(self) -> list[Trial]:
        """The trials that are still to be spoken, those that failed among them."""
        return self._batch.missing()

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
                    self._batch.speak(how or executor(), check, on_record)
                finally:
                    self.write_tables()
        except OSError as error:
            raise OutputError(
                f"The sweep cannot be saved in {self.folder}: {error.strerror or error}.",
                remedy="Correct this and run it again; saved trials are not lost.",
            ) from error
        return self.rows()

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
        return restore_voice(kept, mel)
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
