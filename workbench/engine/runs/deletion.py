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
        # rename first, so that no half-deleted run is ever listed
        doomed = folder.with_name(f".{run_id}.{secrets.token_hex(4)}.deleted")
        folder.rename(doomed)
        _remove(doomed)
    except OSError as error:
        raise OutputError(
            f"The run {run_id} cannot be deleted: {error.strerror}.",
            remedy="Check its owner and permissions.",
        ) from error
    log.info("run deleted", extra=pairs(id=run_id, bytes=n_bytes))
    return n_bytes


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
