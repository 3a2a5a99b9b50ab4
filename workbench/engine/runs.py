"""Runs on disk: ``runs/<id>/`` holds run.json, the arrays, and a sound file that any player opens.

A run is written to a hidden folder and renamed, so that it is there whole or not at all. What people add later (a
note, a star) lies in a file of its own; run.json never changes.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engine.errors import OutputError, RunError
from workbench.engine.run_files import damaged, read_json, read_run, write_files
from workbench.engine.settings import home

if TYPE_CHECKING:  # it imports torch, which listing runs does not need
    from workbench.engine.results import Run

log = logging.getLogger("workbench.runs")

NOTE_MAX_CHARACTERS = 2_000
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6,16}")


@dataclass(frozen=True)
class RunSummary:
    """A run as lists show it, read without its arrays.

    Attributes:
        id, created_at, model, voice, text, device, dtype: as in ``results.Run``.
        seconds: of audio.
        total_seconds: of processing, loading apart.
        rtf: real-time factor.
        first_audio_seconds: from the start of the run to the first chunk's samples.
        n_chunks: chunks.
        settings: name to value.
        note, star: what a person added.
        n_bytes: on disk.
        envelope: peaks of the waveform, 0 to 1, for a sparkline.
        has_trajectory: the ODE's states were kept.
        sweep: name of the sweep it was made in, or "".
        parent: id of the run it was made from by speaking one chunk again, or "".
        remade_chunk: index of that chunk.
    """

    id: str
    created_at: str
    model: str
    voice: str
    text: str
    seconds: float
    total_seconds: float
    rtf: float
    first_audio_seconds: float
    n_chunks: int
    settings: dict[str, Any] = field(hash=False)
    device: str = "cpu"
    dtype: str = "fp32"
    note: str = ""
    star: bool = False
    n_bytes: int = 0
    envelope: tuple[float, ...] = ()
    has_trajectory: bool = False
    sweep: str = ""
    parent: str = ""
    remade_chunk: int | None = None


def runs_root() -> Path:
    """Folder of all runs, ``runs/`` in ``settings.home()``. It may not exist yet."""
    return home() / "runs"


def run_folder(run_id: str) -> Path:
    """Folder of a run that exists.

    Raises:
        RunError: not an id, or no such run.
    """
    folder = runs_root() / _checked(run_id)
    if not (folder / "run.json").is_file():
        raise RunError(f"There is no run {run_id}.", remedy="It may have been deleted; see the list of runs.")
    return folder


def _checked(run_id: str) -> str:
    """``run_id`` if it can only name a folder in runs/: no path part, no dot."""
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise RunError(
            f"{str(run_id)[:60]!r} is not the id of a run.", remedy="An id looks like 20261123-071500-a1b2c3."
        )
    return run_id


def save_run(run: Run, *, sweep: str = "", parent: str = "", remade_chunk: int | None = None) -> Path:
    """Write ``run`` to disk, whole or not at all, and return its folder.

    Args:
        run: finished.
        sweep: name of the sweep it belongs to.
        parent: id of the run it was made from by speaking ``remade_chunk`` again.
        remade_chunk: index of that chunk.

    Raises:
        OutputError: no space, no permission, or samples that are not finite.
    """
    began = time.perf_counter()
    target = runs_root() / _checked(run.id)
    draft = target.with_name(f".{run.id}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        write_files(draft, run, {"sweep": sweep, "parent": parent, "remade_chunk": remade_chunk})
        draft.rename(target)
    except OSError as error:
        raise OutputError(
            f"The run {run.id} cannot be written to {runs_root()}: {error.strerror or error}.",
            remedy="Free some space, or move the folder with WORKBENCH_HOME.",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    log.info("run saved id=%s bytes=%d took=%.3f", run.id, folder_bytes(target), time.perf_counter() - began)
    return target


def load_run(run_id: str, *, trajectories: bool = True) -> Run:
    """The run ``run_id`` as it was saved: wave and mel are the same to the last bit.

    Args:
        run_id: of a saved run.
        trajectories: read the ODE's states too, where they were kept; they can be 256 MB.

    Raises:
        RunError: not an id, no such run, or its files are damaged.
    """
    folder = run_folder(run_id)
    try:
        return read_run(folder, trajectories=trajectories)
    except (OSError, KeyError, TypeError, ValueError) as error:  # ValueError: JSON, NumPy and zip files cut short
        raise damaged(run_id, error) from error


def read_document(run_id: str) -> dict[str, Any]:
    """run.json of ``run_id``, without reading any array. Treat it as read-only: it is shared.

    Raises:
        RunError: not an id, no such run, or not readable.
    """
    folder = run_folder(run_id)
    try:
        return read_json(folder)
    except (OSError, ValueError) as error:
        raise damaged(run_id, error) from error


def list_runs() -> list[RunSummary]:
    """Every run that can be read, the newest first. Those that cannot are in ``broken_runs``."""
    return _scan()[0]


def broken_runs() -> list[tuple[str, str]]:
    """(id, reason) of every folder in runs/ that looks like a run and cannot be read."""
    return _scan()[1]


def _scan() -> tuple[list[RunSummary], list[tuple[str, str]]]:
    good, broken = [], []
    root = runs_root()
    names = (p.name for p in root.iterdir() if p.is_dir() and _ID.fullmatch(p.name)) if root.is_dir() else ()
    for name in sorted(names, reverse=True):
        try:
            good.append(summarise(name))
        except RunError as error:
            broken.append((name, str(error)))
    return good, broken


def summarise(run_id: str) -> RunSummary:
    """The summary of one run.

    Raises:
        RunError: as ``load_run``.
    """
    document, notes = read_document(run_id), _notes(run_id)
    try:
        return RunSummary(
            id=run_id,
            created_at=document["created_at"],
            model=document["model"],
            voice=document["voice"],
            text=document["text"],
            seconds=document["audio_seconds"],
            total_seconds=document["total_seconds"],
            rtf=document["rtf"],
            first_audio_seconds=document["time_to_first_audio_seconds"],
            n_chunks=len(document["chunks"]),
            settings=dict(document["settings"]),
            device=document["device"],
            dtype=document["dtype"],
            note=str(notes.get("note", "")),
            star=bool(notes.get("star", False)),
            n_bytes=folder_bytes(runs_root() / run_id),
            envelope=tuple(document["envelope"]),
            has_trajectory=document["has_trajectory"],
            sweep=document["sweep"],
            parent=document["parent"],
            remade_chunk=document["remade_chunk"],
        )
    except (KeyError, TypeError, OSError) as error:
        raise damaged(run_id, error) from error


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in ``folder``."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _notes(run_id: str) -> dict[str, Any]:
    try:
        notes = json.loads((runs_root() / run_id / "notes.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def annotate(run_id: str, note: str | None = None, star: bool | None = None) -> RunSummary:
    """Set the note or the star of a run; None leaves it as it is. Returns the new summary.

    Raises:
        RunError: no such run, or the note is too long.
        OutputError: it cannot be written.
    """
    folder = run_folder(run_id)
    if note is not None and len(note) > NOTE_MAX_CHARACTERS:
        raise RunError(f"The note has {len(note):,} characters.", remedy=f"Keep it under {NOTE_MAX_CHARACTERS:,}.")
    changes = {"note": note, "star": star}
    notes = _notes(run_id) | {key: value for key, value in changes.items() if value is not None}
    draft = folder / ".notes.part"
    try:
        draft.write_text(json.dumps(notes, ensure_ascii=False), "utf-8")
        draft.replace(folder / "notes.json")
    except OSError as error:
        raise OutputError(f"The note cannot be written: {error.strerror}.", remedy="Free some space.") from error
    return summarise(run_id)


def delete_run(run_id: str) -> int:
    """Delete a run, also a damaged one, and return the bytes that are free again.

    Raises:
        RunError: not an id, or no such run.
        OutputError: it cannot be deleted.
    """
    folder = runs_root() / _checked(run_id)
    if not folder.is_dir():
        raise RunError(f"There is no run {run_id}.", remedy="It may have been deleted already.")
    n_bytes = folder_bytes(folder)
    doomed = folder.with_name(f".{run_id}.deleted")  # renamed first: a run is there whole or not at all
    try:
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"The run {run_id} cannot be deleted: {error.strerror}.", remedy="Is the folder yours?"
        ) from error
    log.info("run deleted id=%s bytes=%d", run_id, n_bytes)
    return n_bytes
