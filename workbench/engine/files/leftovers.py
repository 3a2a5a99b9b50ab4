"""Drafts: what is written under a hidden name until it is whole, and the removal of those whose writer died.

Beside each draft lies ``<draft>.owner``, locked for as long as its writer lives: the kernel drops the lock with the
process, whatever ended it, so that neither a process id nor a clock has to be believed.
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

UNOWNED_SECONDS = 3600.0  # a draft that says nothing of its writer is left alone for this long
_OWNER = ".owner"
_UNLOCKABLE = (OSError, NotImplementedError)  # a disk that is read-only, or that has no locks


def _lock(owner: Path) -> Any | None:
    """The lock on ``owner``, held; None if somebody else holds it, in this process or another. Raises OSError."""
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
        lock.release()  # swept away between its opening and its locking: that lock holds nothing off


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def claim(path: Path) -> Iterator[Path]:
    """Make the draft folder ``path`` and hold it as this living process's own within the block.

    Rename it, or what is in it, when it is whole: whatever still has the name at the end of the block is removed. What
    a dead writer left under the same name is replaced.

    Raises:
        FileExistsError: somebody alive holds this draft.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.with_name(path.name + _OWNER)
    try:
        lock = _lock(owner)
        if lock is None:
            raise FileExistsError(errno.EEXIST, "is being written by another process", str(path))
    except NotImplementedError:
        lock = None  # no locks on this disk: the draft stands without a mark
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
    """Remove the drafts in ``folder`` that match ``pattern`` and whose writer is dead; returns those removed.

    A draft of a living process stays, also one of another thread of this process; so does one without a mark that was
    changed within the hour. What cannot be read or removed is left alone: sweeping never fails.
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
    """Remove ``path`` and ``owner`` if nobody holds them; True if that was tried."""
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
    """Remove ``path`` if it is old; True if that was tried."""
    try:
        age = time.time() - max(p.lstat().st_mtime for p in (path, *(path.iterdir() if path.is_dir() else ())))
    except OSError:
        return False
    if age > UNOWNED_SECONDS:
        _remove(path)
        return True
    return False
