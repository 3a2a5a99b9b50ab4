"""The folder of a sweep: its grid, its voices, and a file for each trial that is done.

    sweeps/NAME/sweep.json        the grid
    sweeps/NAME/voices/ID.wav     recordings that did not come with the project, prepared
    sweeps/NAME/trials/ID.json    a trial that was spoken: its run, its numbers, who did it
    sweeps/NAME/results.parquet   a row for each trial; results.csv is the same

A trial is named by what is spoken, so a grid that grows, or one that was stopped, costs only what is missing. The
folder holds all that its table needs, and may be moved.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.errors import RunError, SettingsError
from workbench.engine.files.places import home
from workbench.engine.files.writing import write_json, write_whole
from workbench.engine.signal.audio import exact_bytes
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.voices import Voice, restore_voice
from workbench.engine.sweeps.grid import NAME, Grid, Trial

log = logging.getLogger("workbench.sweeps")
VERSION = 1
GRID_FILE = "sweep.json"
_RECORD_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Record:
    """A trial that was tried.

    Attributes:
        trial: its id.
        run: id of the run that it made, or "".
        repeat: as in ``Trial``.
        values: name of each axis to its value.
        measures: name of each measure to its number, or None.
        error: why it failed, or "".
        worker: as in ``worker.Outcome``.
        attempts: how many workers tried.
        finished_at: ISO 8601, UTC.
    """

    trial: str
    run: str
    repeat: int
    values: Mapping[str, Any]
    measures: Mapping[str, float | None]
    error: str
    worker: Mapping[str, Any]
    attempts: int
    finished_at: str

    @property
    def is_done(self) -> bool:
        """It was spoken; one that failed is tried again next time."""
        return not self.error


def sweeps_root() -> Path:
    """Folder of all sweeps, ``sweeps/`` in ``places.home()``. It may not exist yet."""
    return home() / "sweeps"


def sweep_folder(name: str) -> Path:
    """Folder of the sweep called ``name``. Raises SettingsError if nothing can be called so."""
    if not NAME.fullmatch(name):
        raise SettingsError(f"There is no sweep {name!r}.", remedy="See `workbench sweep --list`.")
    return sweeps_root() / name


def list_sweeps() -> list[str]:
    """Names of the sweeps that can be read, sorted; whatever else lies there is left alone."""
    try:
        folders = sorted(path for path in sweeps_root().iterdir() if (path / GRID_FILE).is_file())
    except OSError:
        return []
    return [path.name for path in folders if NAME.fullmatch(path.name)]


def write_grid(folder: Path, grid: Grid, voices: Mapping[str, Voice]) -> None:
    """Keep ``grid`` in ``folder``, and the recordings of ``voices`` (``voice_key`` to voice). Raises OSError."""
    kept = {}
    for key, voice in voices.items():
        file = f"voices/{voice.id}.wav" if voice.recording else ""
        if file and not (folder / file).is_file():
            (folder / "voices").mkdir(parents=True, exist_ok=True)
            write_whole(folder / file, exact_bytes(voice.audio, voice.mel_config.target_sample_rate))
        kept[key] = {**voice.ref.as_dict(), "recording": file}
    write_json(folder / GRID_FILE, {"version": VERSION, **grid.as_dict(), "voices": kept})


def read_grid_of(folder: Path) -> tuple[Grid, dict[str, VoiceRef]]:
    """The grid in ``folder``, and ``voice_key`` to each voice that it names.

    Raises:
        RunError: there is none, it is damaged, or a newer program wrote it.
    """
    path = folder / GRID_FILE
    try:
        given = json.loads(path.read_bytes())
        if given["version"] > VERSION:
            raise RunError(f"The sweep in {folder} is of a newer workbench.", remedy="Update this one.")
        voices = {key: VoiceRef.from_dict(value) for key, value in given.get("voices", {}).items()}
        grid = Grid.from_dict({k: v for k, v in given.items() if k not in ("version", "voices")})
    except OSError as error:
        raise RunError(f"There is no sweep in {folder}.", remedy="Give its grid.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.", remedy="Run the sweep with its grid again.") from error
    here = {key: ref.replace(recording=str(folder / ref.recording)) if ref.recording else ref
            for key, ref in voices.items()}  # fmt: skip
    return grid, here


def voice_key(value: Any, model: str) -> str:
    """Names a value of the setting "voice" for a model, in ``write_grid``."""
    return json.dumps([value, model], sort_keys=True, ensure_ascii=False)


def kept_voice(ref: VoiceRef, mel_config: Any) -> Voice:
    """The voice that ``ref``, of ``read_grid_of``, names. Raises VoiceError, AudioError."""
    return restore_voice(ref, mel_config)


def write_record(folder: Path, record: Record) -> None:
    """Keep ``record``, whole or not at all. Raises OSError."""
    write_json(folder / "trials" / f"{record.trial}.json", {"version": VERSION, **record.__dict__})


def read_records(folder: Path, trials: Sequence[Trial]) -> dict[str, Record]:
    """Id to record of those of ``trials`` that were tried. A file that is damaged counts as not there."""
    return {t.id: record for t in trials if (record := _read_record(folder / "trials" / f"{t.id}.json", t)) is not None}


def _read_record(path: Path, trial: Trial) -> Record | None:
    try:
        if path.stat().st_size > _RECORD_MAX_BYTES:
            return None
        given = json.loads(path.read_bytes())
        if given.pop("version") != VERSION or given["trial"] != trial.id:
            return None
        record = Record(**given)
        sound = all(isinstance(getattr(record, name), dict) for name in ("values", "measures", "worker"))
        sound = sound and all(isinstance(value, str) for value in (record.run, record.error, record.finished_at))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("record %s is damaged, the trial is done again: %s", path.name, error)
        return None
    # the axes of today's grid: another may have varied something else on the way to the same request
    return Record(**{**record.__dict__, "values": dict(trial.values), "repeat": trial.repeat}) if sound else None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other process from running the sweep in ``folder`` during the block.

    Raises:
        SettingsError: one is running it.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".running.lock", timeout=0, thread_local=False):
            yield
    except Timeout as error:
        raise SettingsError(
            f"The sweep {folder.name!r} is being run by another process.", remedy="Wait for it, or stop it."
        ) from error


def is_running(folder: Path) -> bool:
    """Whether some process runs the sweep in ``folder`` now."""
    from filelock import FileLock, Timeout

    path = folder / ".running.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, thread_local=False):
            return False
    except (Timeout, OSError):
        return True
