"""Runs on disk: ``runs/<id>/`` holds run.json, the arrays, and a sound file that any player opens.

A run is written to a hidden folder and renamed, so that it is there whole or not at all. What people add later (a
note, a star) lies in a file of its own; run.json never changes.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine.errors import OutputError, RunError
from workbench.engine.files.leftovers import claim
from workbench.engine.logs import pairs
from workbench.engine.runs.deletion import delete_run, is_link, sweep_leftovers
from workbench.engine.runs.document import ID, RunDocument, read_document_of
from workbench.engine.runs.files import read_run, read_wave, write_files
from workbench.engine.runs.notes import MAX_CHARACTERS, read_notes, write_notes
from workbench.engine.runs.paths import checked_id, folder_bytes, run_folder, runs_root, version_of
from workbench.engine.timing import rtf

if TYPE_CHECKING:  # it imports torch, which listing runs does not need
    from workbench.engine.speech.results import Run

log = logging.getLogger("workbench.runs")

NOTE_MAX_CHARACTERS = MAX_CHARACTERS
__all__ = [
    "NOTE_MAX_CHARACTERS",
    "RunSummary",
    "annotate",
    "broken_runs",
    "delete_run",
    "folder_bytes",
    "is_link",
    "list_runs",
    "load_run",
    "load_wave",
    "read_document",
    "run_folder",
    "runs_root",
    "save_run",
    "scan",
    "summarise",
    "sweep_leftovers",
    "version_of",
]


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
        is_link: its folder is a symbolic link; deleting the run removes the link alone.
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
    is_link: bool = False


# Writing -------------------------------------------------------------------------------------------------------------


def save_run(run: Run, *, sweep: str = "", parent: str = "", remade_chunk: int | None = None) -> Path:
    """Write ``run`` to disk, whole or not at all, and return its folder.

    The run is not touched if that fails, so it can be saved again.

    Args:
        run: finished.
        sweep: name of the sweep it belongs to.
        parent: id of the run it was made from by speaking ``remade_chunk`` again.
        remade_chunk: index of that chunk.

    Raises:
        OutputError: no space, no permission, or samples that are not finite.
    """
    began = time.perf_counter()
    target = runs_root() / checked_id(run.id)
    try:
        with claim(target.with_name(f".{run.id}.part")) as draft:
            write_files(draft, run, {"sweep": sweep, "parent": parent, "remade_chunk": remade_chunk})
            draft.rename(target)
    except OSError as error:
        raise OutputError(
            f"The run {run.id} cannot be written to {runs_root()}: {error.strerror or error}.",
            remedy="Mend that and save it again, or move the folder with WORKBENCH_HOME.",
        ) from error
    took = time.perf_counter() - began
    log.info("run saved", extra=pairs(id=run.id, bytes=folder_bytes(target), took=took))
    return target


# Reading -------------------------------------------------------------------------------------------------------------


def load_run(run_id: str, *, trajectories: bool = True) -> Run:
    """The run ``run_id`` as it was saved: wave and mel are the same to the last bit.

    Args:
        run_id: of a saved run.
        trajectories: read the ODE's states too, where they were kept; they can be 256 MB.

    Raises:
        RunError: not an id, no such run, or its files are damaged.
    """
    return read_run(run_folder(run_id), trajectories=trajectories)


def load_wave(run_id: str, index: int) -> tuple[np.ndarray, int]:
    """Samples of chunk ``index``, float32 [n_samples], and their rate, without reading the rest of the run.

    Raises:
        RunError: not an id, no such run or chunk, or damaged.
    """
    return read_wave(run_folder(run_id), index)


def read_document(run_id: str) -> RunDocument:
    """run.json of ``run_id``, checked, without reading any array. Treat it as read-only: it is shared.

    Raises:
        RunError: not an id, no such run, or damaged.
    """
    return read_document_of(run_folder(run_id))


def list_runs() -> list[RunSummary]:
    """Every run that can be read, the newest first. Those that cannot are in ``broken_runs``.

    Raises:
        RunError: the folder of runs itself cannot be read.
    """
    return scan()[0]


def broken_runs() -> list[tuple[str, str]]:
    """(id, reason) of every folder in runs/ that has a run's name and cannot be read. Raises as ``list_runs``."""
    return scan()[1]


def scan() -> tuple[list[RunSummary], list[tuple[str, str]]]:
    """``list_runs`` and ``broken_runs`` in one reading. Whatever else lies in runs/ is left alone.

    Raises:
        RunError: the folder of runs itself cannot be read.
    """
    sweep_leftovers()
    good, broken = [], []
    for name in _names():
        try:
            good.append(summarise(name))
        except RunError as error:
            if os.path.lexists(runs_root() / name):  # else it was deleted just now
                broken.append((name, str(error)))
    return good, broken


def _names() -> list[str]:
    """Names in runs/ that are ids, of folders and of links, the newest first."""
    try:
        with os.scandir(runs_root()) as entries:
            found = [e.name for e in entries if ID.fullmatch(e.name) and (e.is_symlink() or e.is_dir())]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(
            f"The folder of runs {runs_root()} cannot be read: {error.strerror}.",
            remedy="Is it yours? WORKBENCH_HOME names another.",
        ) from error
    return sorted(found, reverse=True)


def summarise(run_id: str) -> RunSummary:
    """The summary of one run.

    Raises:
        RunError: not an id, no such run, or its run.json is damaged. The arrays are not looked at.
    """
    folder = run_folder(run_id)
    document, notes = read_document_of(folder), read_notes(folder)
    return RunSummary(
        id=run_id,
        created_at=document["created_at"],
        model=document["model"],
        voice=document["voice"],
        text=document["text"],
        seconds=document["audio_seconds"],
        total_seconds=document["total_seconds"],
        rtf=rtf(document["total_seconds"], document["audio_seconds"]),
        first_audio_seconds=document["time_to_first_audio_seconds"],
        n_chunks=len(document["chunks"]),
        settings=dict(document["settings"]),
        device=document["device"],
        dtype=document["dtype"],
        note=notes.get("note", ""),
        star=notes.get("star", False),
        n_bytes=folder_bytes(folder),
        envelope=tuple(document["envelope"]),
        has_trajectory=document["has_trajectory"],
        sweep=document["sweep"],
        parent=document["parent"],
        remade_chunk=document["remade_chunk"],
        is_link=folder.is_symlink(),
    )


# Changing ------------------------------------------------------------------------------------------------------------


def annotate(run_id: str, note: str | None = None, star: bool | None = None) -> RunSummary:
    """Set the note or the star of a run; None leaves it as it is. Returns the new summary.

    Several may write at once: each change of another field is kept, and the file is always whole.

    Raises:
        RunError: no such run, or the note is too long.
        OutputError: it cannot be written.
    """
    folder = run_folder(run_id)
    if note is not None and len(note) > NOTE_MAX_CHARACTERS:
        raise RunError(f"The note has {len(note):,} characters.", remedy=f"Keep it under {NOTE_MAX_CHARACTERS:,}.")
    plain = None if note is None else note.encode("utf-8", "replace").decode()  # no half of a surrogate pair
    changes = {"note": plain, "star": star}
    write_notes(folder, {key: value for key, value in changes.items() if value is not None})
    return summarise(run_id)
