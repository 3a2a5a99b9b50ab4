"""Let one process at a time write the results of a sweep, an evaluation or a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.engine.errors import SettingsError

_LOCK = ".running.lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let only this process speak into ``folder``, which is made, during the block.

    Raises:
        SettingsError: another process does.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0, thread_local=False):
            yield
    except Timeout as error:
        raise SettingsError(
            f"Another process speaks into {folder.name!r} just now.", remedy="Wait for it, or stop it."
        ) from error


def is_running(folder: Path) -> bool:
    """Whether a process speaks into ``folder``."""
    from filelock import FileLock, Timeout

    path = folder / _LOCK
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, thread_local=False):
            return False
    except (Timeout, OSError):
        return True
