"""Run a sweep: the workers of an executor speak the missing trials, and each result is saved at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine.asr.recogniser import why_deaf
from workbench.engine.catalog import DEMO_VOICE, get_model
from workbench.engine.errors import OutputError, SettingsError, VoiceError, reason_of
from workbench.engine.files.alone import alone_in
from workbench.engine.files.writing import write_whole
from workbench.engine.measures import intelligibility
from workbench.engine.runs.measured.making import of_run
from workbench.engine.scripts import SUFFIXES, Cast, compose
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.engine.speech.text import check_text
from workbench.engine.speech.voices import Voice, load_voice, make_voice, restore_voice
from workbench.engine.sweeps import records, tables
from workbench.engine.sweeps.batch import Batch, OnRecord
from workbench.engine.sweeps.executors import Executor, executor
from workbench.engine.sweeps.grid import Grid, Trial
from workbench.engine.sweeps.records import Record
from workbench.engine.visible import quoted

_TEXTS = (".txt", ".md")  # what `SUFFIXES` of scripts are texts


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
        names = tuple(m.name for m in of_run(self.grid.measures))
        return Batch(self.grid.name, self.folder, self.trials, voices, names)

    def lacking(self) -> list[str]:
        """Return why measures of the grid cannot be made on this machine, one line each with the remedy."""
        wanted = of_run(self.grid.measures)
        found = [m.lacking for m in wanted if m.lacking]
        if any(m.needs == intelligibility.NEEDS and not m.lacking for m in wanted) and (why := why_deaf()):
            found.append(why)
        return found

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
            SettingsError: another process runs this sweep, or a measure cannot be made here.
            OutputError: the folder cannot be written.
        """
        if self.missing() and (lacking := self.lacking()):
            raise SettingsError(lacking[0], remedy="Or leave this measure out of the grid.")
        try:
            with alone_in(self.folder):
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
    of_run(grid.measures)  # all names are known
    place = folder or records.sweep_folder(grid.name)
    casting = _Casting(records.kept_of(place))
    return Sweep(grid, place, tuple(grid.trials(casting.request)), casting.voices)


def find_sweep(name: str) -> Sweep:
    """Return the saved sweep in ``sweeps/NAME``, to show or resume it. Raises as ``open_sweep``, and RunError."""
    folder = records.sweep_folder(name)
    return open_sweep(records.read_grid_of(folder)[0], folder)


class _Casting:
    """Texts with their voices, each made once for all points of a grid.

    Attributes:
        voices: ``records.voice_key`` to each voice that was asked for.
    """

    def __init__(self, kept: Mapping[str, VoiceRef]) -> None:
        self.voices: dict[str, Voice] = {}
        self._kept = kept
        self._casts: dict[tuple[str, str], Cast] = {}
        self._texts: dict[str, str] = {}
        self._requests: dict[tuple[str, str, str], SpeechRequest] = {}

    def request(self, wanted: Mapping[str, Any]) -> SpeechRequest:
        """Return a request with text, voices and model of ``wanted``; a text that names voices is a script.

        Raises:
            WorkbenchError: a text, voice or model was not found or has a wrong type.
        """
        model, text = wanted.get("model", DEMO_VOICE), wanted.get("text")
        for name in ("model", "text", "text_file"):
            if not isinstance(wanted.get(name, ""), str):
                raise SettingsError(f"{name} is {quoted(wanted[name])}, not a text.", remedy="Put it between quotes.")
        if text is None:
            text = self._read(wanted["text_file"])
        key = text, records.voice_key(wanted.get("voice"), ""), model
        if key not in self._requests:
            check_text(text)
            made = compose(text, self._cast(wanted.get("voice"), model), model=model)[0]
            if made.script is not None and made.script.is_timed:
                raise SettingsError("A sweep does not fit passages into times.", remedy="Remove at= and until=.")
            self._requests[key] = made
        return self._requests[key]

    def _read(self, path: str) -> str:
        if path not in self._texts:
            if Path(path).suffix.lower() in SUFFIXES and Path(path).suffix.lower() not in _TEXTS:
                raise SettingsError(
                    f"A sweep does not read scripts of the type {Path(path).name!r}.",
                    remedy="Give a text, which may name its voices as in [Nora].",
                )
            try:
                self._texts[path] = Path(path).read_bytes().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise SettingsError(f"The text {path} is not UTF-8.", remedy="Save it as UTF-8.") from error
            except (OSError, ValueError) as error:
                raise SettingsError(
                    f"The text {path} cannot be read: {reason_of(error)}.", remedy="Name another file."
                ) from error
        return self._texts[path]

    def _cast(self, value: Any, model: str) -> Cast:
        key = records.voice_key(value, ""), model
        if key not in self._casts:
            self._casts[key] = Cast(self._voice(value, model), load=lambda name: self._voice(name, model))
        return self._casts[key]

    def _voice(self, value: Any, model: str) -> Voice:
        key = records.voice_key(value, model)
        if key not in self.voices:
            self.voices[key] = _voice(value, model, self._kept.get(key))
        return self.voices[key]


def _voice(value: Any, model: str, kept: VoiceRef | None) -> Voice:
    """Return the voice for ``value``; from the folder of the sweep if it was deleted, or is not on this machine."""
    mel = get_model(model).mel
    if value is None or isinstance(value, str):
        try:
            return load_voice(value, mel)
        except VoiceError:
            if kept is None or not kept.recording:
                raise
            return restore_voice(kept, mel)
    given = isinstance(value, Mapping) and set(value) == {"recording", "words"}
    if not given or not all(isinstance(part, str) for part in value.values()):
        raise SettingsError(
            f"voice is {quoted(value)}.", remedy='Name a voice, or write {recording = "me.wav", words = "..."}.'
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
