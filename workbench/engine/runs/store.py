"""Save, list, load and annotate runs. ``runs/<id>/`` holds run.json, arrays, and sound files that any player opens.

A run is written to a hidden folder that is then renamed, so no half-written run is ever listed. Note and star are in a
file of their own; run.json never changes.
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
from workbench.engine.runs.deletion import delete_run, is_link, put_back, remove_aside, set_aside, sweep_leftovers
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.files import read_run, read_wave, write_files
from workbench.engine.runs.notes import MAX_CHARACTERS, write_notes
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.parts.partial import is_partial
from workbench.engine.runs.paths import checked_id, folder_bytes, run_folder, runs_root, version_of
from workbench.engine.runs.summary import RunSummary, summary_of
from workbench.engine.runs.takes.state import document_of
from workbench.engine.speech.results import PROFILE_FILE

if TYPE_CHECKING:
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
    "kept_bytes",
    "list_runs",
    "load_run",
    "load_wave",
    "profile_of",
    "put_back",
    "read_document",
    "remove_aside",
    "run_folder",
    "runs_root",
    "save_run",
    "scan",
    "set_aside",
    "summarise",
    "sweep_leftovers",
    "version_of",
]


# Writing -------------------------------------------------------------------------------------------------------------


def save_run(run: Run) -> Path:
    """Write ``run`` and the reference recording of its voice to disk, completely or not at all; return its folder.

    A failure leaves ``run`` unchanged, so it can be saved again.

    Raises:
        OutputError: there is no space or no permission, samples are not finite, or the run is too long.
    """
    began = time.perf_counter()
    target = runs_root() / checked_id(run.id)
    try:
        with claim(target.with_name(f".{run.id}.part")) as draft:
            write_files(draft, run)
            draft.rename(target)
        unfinished.settled(run.id, run.chunks, target)
    except OSError as error:
        raise OutputError(
            f"The run {run.id} cannot be written to {runs_root()}: {error.strerror or error}.",
            remedy="Correct this and save it again, or set WORKBENCH_HOME to another folder.",
        ) from error
    took = time.perf_counter() - began
    log.info("run saved", extra=pairs(id=run.id, bytes=folder_bytes(target), took=took))
    return target


# Reading -------------------------------------------------------------------------------------------------------------


def load_run(run_id: str, *, trajectories: bool = True) -> Run:
    """Load the run ``run_id``. Waves and mels equal the saved ones exactly.

    Args:
        run_id: of a saved run.
        trajectories: also read the states of the ODE if the run kept them; they can take 256 MB.

    Raises:
        RunError: ``run_id`` is not an id, there is no such run, or its files are damaged.
    """
    return read_run(run_folder(run_id), trajectories=trajectories)


def load_wave(run_id: str, index: int) -> tuple[np.ndarray, int]:
    """Return the samples of chunk ``index``, float32 [n_samples], and their rate in Hz, without reading other chunks.

    Raises:
        RunError: ``run_id`` is not an id, there is no such run or chunk, or the run is damaged.
    """
    return read_wave(run_folder(run_id), index)


def profile_of(run_id: str) -> bytes | None:
    """Return the trace of a run that was profiled, gzipped JSON; None if it was not, or the file cannot be read.

    Raises:
        RunError: ``run_id`` is not an id, or there is no such run.
    """
    try:
        return (run_folder(run_id) / PROFILE_FILE).read_bytes()
    except OSError:
        return None


def read_document(run_id: str) -> RunDocument:
    """Read and check run.json of ``run_id``, without reading any array.

    Raises:
        RunError: ``run_id`` is not an id, there is no such run, or run.json is damaged.
    """
    return document_of(run_folder(run_id))


def list_runs() -> list[RunSummary]:
    """Return every run that can be read, the newest first. ``broken_runs`` returns the others.

    Raises:
        RunError: the folder of runs cannot be read.
    """
    return scan()[0]


def broken_runs() -> list[tuple[str, str]]:
    """Return (id, reason) of every folder in runs/ with the name of a run that cannot be read. Raises RunError."""
    return scan()[1]


def scan() -> tuple[list[RunSummary], list[tuple[str, str]]]:
    """Return ``list_runs()`` and ``broken_runs()`` with one refresh of the index. Other files in runs/ are ignored.

    Raises:
        RunError: the folder of runs cannot be read.
    """
    found = index.entries()
    good = [entry.summary for entry in found.values() if entry.summary is not None]
    return good, [(run_id, entry.problem) for run_id, entry in found.items() if entry.summary is None]


def summarise(run_id: str) -> RunSummary:
    """Return the summary of one run from its folder, without checking its arrays.

    Raises:
        RunError: ``run_id`` is not an id, there is no such run, or run.json is damaged.
    """
    return summary_of(run_folder(run_id))


def kept_bytes(run_id: str) -> int:
    """Bytes of a run on disk, or of one in the unfinished. Raises RunError: not an id, or neither is there."""
    begun = unfinished.folder_of(checked_id(run_id))
    return folder_bytes(begun if begun.is_dir() else run_folder(run_id))


# Changing ------------------------------------------------------------------------------------------------------------


def annotate(run_id: str, note: str | None = None, star: bool | None = None) -> RunSummary:
    """Set the note or the star of a run; None leaves it unchanged. Returns the new summary.

    Several processes may write at once: changes of different fields are all kept, and the file is always complete.

    Raises:
        RunError: there is no such run, or the note is too long.
        OutputError: the note cannot be written.
    """
    folder = run_folder(run_id)
    if is_partial(folder):
        raise RunError(f"The run {run_id} is not finished.", remedy="Go on with it first.")
    if note is not None and len(note) > NOTE_MAX_CHARACTERS:
        raise RunError(f"The note has {len(note):,} characters.", remedy=f"Keep it under {NOTE_MAX_CHARACTERS:,}.")
    plain = None if note is None else note.encode("utf-8", "replace").decode()  # replaces lone surrogates
    changes = {"note": plain, "star": star}
    write_notes(folder, {key: value for key, value in changes.items() if value is not None})
    return summarise(run_id)
