"""Runs on disk: ``runs/<id>/`` holds run.json, the arrays, and a sound file that any player opens.

A run is written to a hidden folder and renamed, so that it is there whole or not at all. What people add later (a
note, a star) lies in a file of its own; run.json never changes.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.engine.errors import OutputError, RunError
from workbench.engine.files.leftovers import claim
from workbench.engine.logs import pairs
from workbench.engine.runs import index
from workbench.engine.runs.deletion import delete_run, is_link, sweep_leftovers
from workbench.engine.runs.document import RunDocument, read_document_of
from workbench.engine.runs.files import read_run, read_wave, write_files
from workbench.engine.runs.notes import MAX_CHARACTERS, write_notes
from workbench.engine.runs.paths import checked_id, folder_bytes, run_folder, runs_root, version_of
from workbench.engine.runs.summary import RunSummary, summary_of

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


# Writing -------------------------------------------------------------------------------------------------------------


def save_run(run: Run) -> Path:
    """Write ``run`` to disk, whole or not at all, with the recording of its voice, and return its folder.

    The run is not touched if that fails, so it can be saved again.

    Raises:
        OutputError: no space, no permission, or samples that are not finite.
    """
    began = time.perf_counter()
    target = runs_root() / checked_id(run.id)
    try:
        with claim(target.with_name(f".{run.id}.part")) as draft:
            write_files(draft, run)
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
    """run.json of ``run_id``, checked, without reading any array.

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
    """``list_runs`` and ``broken_runs`` in one look. Whatever else lies in runs/ is left alone.

    Raises:
        RunError: the folder of runs itself cannot be read.
    """
    found = index.entries()
    good = [entry.summary for entry in found.values() if entry.summary is not None]
    return good, [(run_id, entry.problem) for run_id, entry in found.items() if entry.summary is None]


def summarise(run_id: str) -> RunSummary:
    """The summary of one run, from its folder.

    Raises:
        RunError: not an id, no such run, or its run.json is damaged. The arrays are not looked at.
    """
    return summary_of(run_folder(run_id))


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
