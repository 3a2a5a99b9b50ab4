"""Read and write the folder of a sweep: its grid, its voices, and one file per finished trial.

    sweeps/NAME/sweep.json        the grid
    sweeps/NAME/voices/ID.wav     prepared recordings of voices that are not bundled
    sweeps/NAME/trials/ID.json    a finished trial: its run, measures and worker
    sweeps/NAME/results.parquet   one row per trial; results.csv has the same rows

The id of a trial depends on its request, so a larger grid or a stopped sweep speaks only the missing trials. The folder
holds everything that its table needs, and may be moved.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.engine.errors import RunError, SettingsError
from workbench.engine.files.names import NAME
from workbench.engine.files.places import home
from workbench.engine.files.writing import write_json, write_whole
from workbench.engine.signal.audio import exact_bytes
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.voices import Voice
from workbench.engine.sweeps.grid import Grid, Trial

log = logging.getLogger("workbench.sweeps")
VERSION = 1
GRID_FILE = "sweep.json"
_RECORD_MAX_BYTES = 2**20


class NewerSweep(RunError):
    """A newer workbench wrote the folder; this one must not write to it."""


@dataclass(frozen=True)
class Record:
    """The record of a finished trial.

    Attributes:
        trial: id of the trial.
        run: id of its run, or "".
        repeat: as in ``Trial``.
        values: name of each axis to its value.
        measures: name of each measure to its number, or None.
        error: why it failed, or "".
        worker: as in ``worker.Outcome``.
        attempts: number of workers that tried.
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
        """Whether the trial was spoken. A failed trial is tried again next time."""
        return not self.error


def sweeps_root() -> Path:
    """Return the folder of all sweeps, ``sweeps/`` in ``places.home()``. It may not exist yet."""
    return home() / "sweeps"


def sweep_folder(name: str) -> Path:
    """Return the folder of the sweep ``name``. Raises SettingsError if the name is invalid."""
    if not NAME.fullmatch(name):
        raise SettingsError(f"There is no sweep {name!r}.", remedy="`workbench sweep` lists them.")
    return sweeps_root() / name


def list_sweeps() -> list[str]:
    """Return the sorted names of the sweeps; other files are ignored."""
    try:
        folders = sorted(path for path in sweeps_root().iterdir() if (path / GRID_FILE).is_file())
    except OSError:
        return []
    return [path.name for path in folders if NAME.fullmatch(path.name)]


def write_grid(folder: Path, grid: Grid, voices: Mapping[str, Voice]) -> None:
    """Write ``grid`` and the recordings of ``voices`` (``voice_key`` to voice) to ``folder``.

    Raises:
        NewerSweep: a newer workbench wrote what is there.
        OSError: it cannot be written.
    """
    kept_of(folder)
    kept = {}
    for key, voice in voices.items():
        file = f"voices/{voice.id}.wav" if voice.recording else ""
        if file and not (folder / file).is_file():
            (folder / "voices").mkdir(parents=True, exist_ok=True)
            write_whole(folder / file, exact_bytes(voice.audio, voice.mel_config.target_sample_rate))
        kept[key] = {**voice.ref.as_dict(), "recording": file}
    write_json(folder / GRID_FILE, {"version": VERSION, **grid.as_dict(), "voices": kept})


def read_grid_of(folder: Path) -> tuple[Grid, dict[str, VoiceRef]]:
    """Read the grid in ``folder``, and its voices by ``voice_key``.

    Raises:
        RunError: there is no grid, it is damaged, or a newer program wrote it.
    """
    path = folder / GRID_FILE
    try:
        given = json.loads(path.read_bytes())
        if given["version"] > VERSION:
            raise NewerSweep(f"The sweep in {folder} is of a newer workbench.", remedy="Update this one.")
        voices = {key: VoiceRef.from_dict(value) for key, value in given.get("voices", {}).items()}
        grid = Grid.from_dict({k: v for k, v in given.items() if k not in ("version", "voices")})
    except OSError as error:
        raise RunError(f"There is no sweep in {folder}.", remedy="Give its grid.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.", remedy="Run the sweep with its grid again.") from error
    here = {key: ref.replace(recording=str(folder / ref.recording)) if ref.recording else ref
            for key, ref in voices.items()}  # fmt: skip
    return grid, here


def kept_of(folder: Path) -> dict[str, VoiceRef]:
    """Return the voices of the sweep in ``folder``; none without a sweep, or of a damaged one. Raises NewerSweep."""
    try:
        return read_grid_of(folder)[1]
    except NewerSweep:
        raise
    except RunError:
        return {}


def voice_key(value: Any, model: str) -> str:
    """Return the key for a value of the setting "voice" and a model."""
    return json.dumps([value, model], sort_keys=True, ensure_ascii=False)


def write_record(folder: Path, record: Record) -> None:
    """Write ``record`` completely or not at all. Raises OSError."""
    write_json(folder / "trials" / f"{record.trial}.json", {"version": VERSION, **record.__dict__})


def read_records(folder: Path, trials: Sequence[Trial]) -> dict[str, Record]:
    """Return id to record of the finished ones of ``trials``. A damaged file counts as missing."""
    found = ((trial, read_record(folder, trial.id)) for trial in trials)
    # use the axes of this grid: another grid may have had other axes for the same request
    return {t.id: replace(r, values=dict(t.values), repeat=t.repeat) for t, r in found if r is not None}


def forget_record(folder: Path, trial_id: str) -> None:
    """Remove the record of a trial, so that it is spoken again. Raises OSError."""
    (folder / "trials" / f"{trial_id}.json").unlink(missing_ok=True)


def read_record(folder: Path, trial_id: str) -> Record | None:
    """Return the record of a trial; None if it is not finished, or its file is damaged."""
    path = folder / "trials" / f"{trial_id}.json"
    try:
        if path.stat().st_size > _RECORD_MAX_BYTES:
            return None
        given = json.loads(path.read_bytes())
        if given.pop("version") != VERSION or given["trial"] != trial_id:
            return None
        record = Record(**given)
        sound = all(isinstance(getattr(record, name), dict) for name in ("values", "measures", "worker"))
        sound = sound and all(isinstance(value, str) for value in (record.run, record.error, record.finished_at))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("record %s is damaged, speaking the trial again: %s", path.name, error)
        return None
    return record if sound else None
