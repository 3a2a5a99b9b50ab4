"""Draft folders, which hold unfinished files under a hidden name, and the removal of drafts of dead processes.

The writer of a draft holds a lock on ``<draft>.owner`` beside it. The kernel releases the lock when the process ends,
for any reason, so neither process ids nor clocks are needed.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNOWNED_SECONDS = 3600.0  # a draft without an owner file is kept for this time after its last change
_OWNER = ".owner"
_UNLOCKABLE = (OSError, NotImplementedError)  # a read-only disk, or one without locks


def _lock(owner: Path) -> Any | None:
    """Take the lock on ``owner`` and return it; None if this or another process holds it. Raises OSError."""
    import filelock

    lock = filelock.FileLock(owner, timeout=0, thread_local=False)
    while True:
        try:
            lock.acquire()
        except filelock.Timeout:
            return None
        held = lock._context.lock_file_fd
        with suppress(OSError):
            if held is not None and os.path.samestat(os.fstat(held), owner.stat()):
                return lock
        lock.release()  # the file was deleted between opening and locking, so this lock protects nothing


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def claim(path: Path) -> Iterator[Path]:
    """Make the draft folder ``path`` and hold its lock within the block; replace the draft of a dead process.

    Rename the folder or its files when they are complete: the end of the block removes what is still at ``path``.

    Raises:
        FileExistsError: a living process holds this draft.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.with_name(path.name + _OWNER)
    try:
        lock = _lock(owner)
        if lock is None:
            raise FileExistsError(errno.EEXIST, "is being written by another process", str(path))
    except NotImplementedError:
        lock = None  # this disk has no locks: the draft has no owner file
    try:
        _remove(path)
        path.mkdir()
        yield path
    finally:
        _remove(path)
        if lock is not None:
            with suppress(OSError):
                owner.unlink()
            lock.release()


def sweep(folder: Path, pattern: str = ".*.part*") -> list[Path]:
    """Remove the drafts of dead processes in ``folder`` that match ``pattern``; return the removed paths.

    Keeps the drafts of living processes, including this one, and drafts without an owner file that changed within
    ``UNOWNED_SECONDS``. Never raises: drafts that cannot be read or removed stay.
    """
    swept = []
    try:
        found = sorted(folder.glob(pattern))
    except OSError:
        return []
    for path in found:
        if path.name.endswith(_OWNER):
            if not os.path.lexists(path.with_name(path.name.removesuffix(_OWNER))):
                _sweep_owned(path.with_name(path.name.removesuffix(_OWNER)), path)
            continue
        owner = path.with_name(path.name + _OWNER)
        if (_sweep_owned(path, owner) if owner.exists() else _sweep_unowned(path)) and not os.path.lexists(path):
            swept.append(path)
    return swept


def _sweep_owned(path: Path, owner: Path) -> bool:
    """Remove ``path`` and ``owner`` if no process holds them; return whether it tried."""
    try:
        lock = _lock(owner)
    except _UNLOCKABLE:
        return False
    if lock is None:
        return False
    _remove(path)
    if not os.path.lexists(path):
        with suppress(OSError):
            owner.unlink()
    lock.release()
    return True


def _sweep_unowned(path: Path) -> bool:
    """Remove ``path`` if it is older than ``UNOWNED_SECONDS``; return whether it tried."""
    try:
        age = time.time() - max(p.lstat().st_mtime for p in (path, *(path.iterdir() if path.is_dir() else ())))
    except OSError:
        return False
    if age > UNOWNED_SECONDS:
        _remove(path)
        return True
    return False
