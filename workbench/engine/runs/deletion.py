"""Delete runs, including damaged ones and links, and remove what killed programs left behind."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from pathlib import Path

from workbench.engine.errors import OutputError, RunError
from workbench.engine.files.leftovers import sweep
from workbench.engine.logs import pairs
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.paths import LEFTOVERS, checked_id, folder_bytes, runs_root

log = logging.getLogger("workbench.runs")


def is_link(run_id: str) -> bool:
    """Whether the run's folder is a symbolic link; then deleting the run removes only the link. Raises RunError."""
    return (runs_root() / checked_id(run_id)).is_symlink()


def set_aside(run_id: str) -> Path:
    """Take a run out of all lists and return the hidden folder that it lies in; ``put_back`` undoes this.

    An hour later, or at the next start, the folder is removed.

    Raises:
        RunError: ``run_id`` is not an id, or there is no such run.
        OutputError: its folder cannot be renamed.
    """
    folder = runs_root() / checked_id(run_id)
    if not folder.is_symlink() and not folder.is_dir():
        raise RunError(f"There is no run {run_id}.", remedy="It may have been deleted already.")
    try:
        return _hidden(folder)
    except OSError as error:
        raise _undeletable(run_id, error) from error


def put_back(hidden: Path) -> str:
    """List a run again that was set aside, and return its id.

    Raises:
        RunError: its hour is over, or another run has its id.
    """
    run_id = hidden.name.split(".")[1]
    folder = hidden.with_name(run_id)
    if os.path.lexists(folder) or not os.path.lexists(hidden):
        raise RunError(f"The run {run_id} cannot be brought back.", remedy="It was removed for good, or is there.")
    hidden.rename(folder)
    log.info("run put back", extra=pairs(id=run_id))
    return run_id


def remove_aside(hidden: Path) -> int:
    """Remove a run that was set aside for good; return the freed bytes: 0 for a link, whose target stays.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        if hidden.is_symlink():
            hidden.unlink()
            return 0
        n_bytes = folder_bytes(hidden)
        if hidden.is_dir():
            _remove(hidden)
    except OSError as error:
        raise _undeletable(hidden.name.split(".")[1], error) from error
    return n_bytes


def delete_run(run_id: str) -> int:
    """Delete a run, also a damaged or an unfinished one, and return the freed bytes.

    If the run is a symbolic link, only the link is removed and 0 is returned.

    Raises:
        RunError: ``run_id`` is not an id, there is no such run, or a process is making it.
        OutputError: the run cannot be deleted.
    """
    folder = runs_root() / checked_id(run_id)
    if unfinished.folder_of(run_id).is_dir():
        return unfinished.drop(run_id)
    if not folder.is_symlink() and not folder.is_dir():
        raise RunError(f"There is no run {run_id}.", remedy="It may have been deleted already.")
    try:
        if folder.is_symlink():
            folder.unlink()
            log.info("link to a run deleted", extra=pairs(id=run_id))
            return 0
        n_bytes = folder_bytes(folder)
        _remove(_hidden(folder))
    except OSError as error:
        raise _undeletable(run_id, error) from error
    log.info("run deleted", extra=pairs(id=run_id, bytes=n_bytes))
    return n_bytes


def _hidden(folder: Path) -> Path:
    """Give the folder of a run a hidden name, so that no half-deleted run is ever listed; return its new path."""
    doomed = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.deleted")
    folder.rename(doomed)
    os.utime(doomed, follow_symlinks=False)  # the hour until leftovers are swept begins now
    return doomed


def _undeletable(run_id: str, error: OSError) -> OutputError:
    return OutputError(
        f"The run {run_id} cannot be deleted: {error.strerror}.", remedy="Check its owner and permissions."
    )


def _remove(folder: Path) -> None:
    """Remove a folder, also one whose permissions forbid reading it. Raises OSError."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        folder.chmod(0o700)
        for at, names, _ in os.walk(folder):
            for path in (Path(at, name) for name in names):
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder)


def sweep_leftovers() -> list[Path]:
    """Remove drafts and half-deleted runs that killed programs left in runs/. Returns the removed paths."""
    found = [path for end in LEFTOVERS for path in sweep(runs_root(), f".*{end}")]
    if found:
        log.info("swept %d leftovers in runs/", len(found))
    return found
