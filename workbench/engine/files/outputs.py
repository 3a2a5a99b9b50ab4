"""Where results are written: checked before the work, whole or not at all, never over another run's file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.engine.errors import OutputError, reason_of, remedy_for
from workbench.engine.files.writing import draft_of, write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NUMBERS = 10_000  # names tried before a folder counts as full
Stamp = tuple[int, int, int]  # inode, size, time of the last change in ns


def check_place(path: Path) -> None:
    """Raise OutputError if no file can be written at ``path``: a folder, a missing one, no permission, no such name."""
    try:
        found = _stat(path)
        if found and stat.S_ISDIR(found.st_mode):
            raise OutputError(f"{path} is a folder.", remedy="Name a file in it.")
        if found and not stat.S_ISREG(found.st_mode):
            raise OutputError(f"{path} is a device or a pipe, not a file.", remedy="Choose another name.")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if found and not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def stamp(path: Path) -> Stamp | None:
    """What tells one version of a file from another; None if there is none. Raises OutputError."""
    try:
        found = _stat(path)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None


def write_over(path: Path, content: bytes) -> Path:
    """As ``writing.write_whole``, for a path that the user gave. Raises OutputError."""
    try:
        return write_whole(path, content)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def write_beside(path: Path, content: bytes, before: Stamp | None) -> Path:
    """Write ``content`` to ``path`` if that is still as ``before`` says, else beside it: name-2, name-3 and so on.

    The name is taken at the end of the work, and exclusively, so two processes never take the same one and one that
    is killed leaves nothing behind.

    Args:
        path: where.
        content: of the whole file.
        before: ``stamp(path)`` as it was when the work began; None: nothing is ever replaced.

    Returns:
        Where it lies.

    Raises:
        OutputError: it can be written neither there nor beside it.
    """
    try:
        with draft_of(path, content) as draft:
            if before is not None:
                with _alone_in(path.parent):
                    if stamp(path) == before:
                        return draft.replace(path)
            for name in _numbered(path):
                with suppress(FileExistsError):
                    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                    return draft.replace(name)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    raise OutputError(f"{path} and {NUMBERS:,} names after it exist.", remedy="Choose another name.")


def save(path: Path, content: bytes, before: Stamp | None) -> Path:
    """As ``write_beside``; what cannot be written there is kept in the current folder or the temporary one.

    Raises:
        OutputError: it could not be written at ``path``; the message says where it lies instead.
    """
    try:
        return write_beside(path, content, before)
    except OutputError as error:
        kept = _kept_elsewhere(path.name, content)
        if kept is None:
            raise
        raise OutputError(f"{error.what} The result is in {kept} instead.", remedy=error.remedy) from error


def _kept_elsewhere(name: str, content: bytes) -> Path | None:
    for find in (Path.cwd, tempfile.gettempdir):
        with suppress(OSError, OutputError):
            return write_beside(Path(find(), name), content, None)
    return None


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, NUMBERS + 2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time for each ``folder``, where the system can lock folders. The lock ends with the process."""
    handle = None
    with suppress(OSError):
        if fcntl:
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _refused(path: Path, error: OSError | ValueError) -> OutputError:
    return OutputError(f"Cannot write {path}: {reason_of(error)}.", remedy=remedy_for(error))
