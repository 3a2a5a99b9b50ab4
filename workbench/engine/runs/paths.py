"""Where runs lie, and what can be told of a folder without reading what is in its files."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from workbench.engine.errors import RunError
from workbench.engine.files.places import home
from workbench.engine.runs.document import ID

log = logging.getLogger("workbench.runs")


def runs_root() -> Path:
    """Folder of all runs, ``runs/`` in ``places.home()``. It may not exist yet."""
    return home() / "runs"


def run_folder(run_id: str) -> Path:
    """Folder of a run that exists.

    Raises:
        RunError: not an id, or no such run.
    """
    folder = runs_root() / checked_id(run_id)
    if not os.path.lexists(folder):
        raise RunError(f"There is no run {run_id}.", remedy="It may have been deleted; see the list of runs.")
    return folder


def checked_id(run_id: str) -> str:
    """``run_id`` if it can only name a folder in runs/: no path part, no dot."""
    if not isinstance(run_id, str) or not ID.fullmatch(run_id):
        raise RunError(
            f"{str(run_id)[:60]!r} is not the id of a run.", remedy="An id looks like 20261123-071500-a1b2c3."
        )
    return run_id


def version_of(folder: Path) -> tuple[int, ...]:
    """Changes when a file of the run does: a key for what is kept of it."""
    found = []
    for name in ("run.json", "chunks.npz", "trajectories.npz"):
        try:
            stat = (folder / name).stat()
        except OSError:
            found += [0, 0]
        else:
            found += [stat.st_mtime_ns, stat.st_size]
    return tuple(found)


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in ``folder``, links not followed; what cannot be read counts nothing."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        log.debug("cannot be counted: %s", folder.name)
    return total
