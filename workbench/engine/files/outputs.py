"""Write results: check the place before the run, write all or nothing, and never replace the file of another run."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.engine.errors import OutputError, reason_of, remedy_for
from workbench.engine.files.writing import Content, draft_of, write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NUMBERS = 10_000  # names tried before a folder counts as full
Stamp = tuple[int, int, int]  # inode, size, time of the last change in ns


def check_place(path: Path) -> None:
    """Raise OutputError if no file can be written at ``path``: no folder, no permission, an invalid name."""
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
    """Return inode, size and time of ``path``, which identify its version; None without a file. Raises OutputError."""
    try:
        found = _stat(path)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None


def write_over(path: Path, content: Content) -> Path:
    """Write ``content`` with ``writing.write_whole`` to a path from the user. Raises OutputError."""
    try:
        return write_whole(path, content)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def write_beside(path: Path, content: Content, before: Stamp | None) -> Path:
    """Write ``content`` to ``path`` if that file is unchanged since ``before``, else beside it as name-2, name-3, ...

    The name is reserved exclusively at the end of the run. So two processes never take the same name, and a killed one
    leaves no file behind.

    Args:
        path: wanted path.
        content: of the whole file, or a function that writes it; that may be called twice.
        before: ``stamp(path)`` at the start of the run; None: never replace a file.

    Returns:
        The path used.

    Raises:
        OutputError: the file can be written neither there nor beside it.
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


def save(path: Path, content: Content, before: Stamp | None) -> Path:
    """Write ``content`` with ``write_beside``; if that fails, to the current or the temporary folder. Returns the path.

    Raises:
        OutputError: ``path`` cannot be written; the message names the file used instead, if any.
    """
    try:
        return write_beside(path, content, before)
    except OutputError as error:
        kept = _kept_elsewhere(path.name, content)
        if kept is None:
            raise
        raise OutputError(f"{error.what} The result is in {kept} instead.", remedy=error.remedy) from error


def free_folder(path: Path) -> Path:
    """``path``, or the first of path-2, path-3 and so on that does not exist. Raises OutputError if all do."""
    for name in _numbered(path):
        if not os.path.lexists(name):
            return name
    raise OutputError(f"{path} and {NUMBERS:,} names after it exist.", remedy="Choose another name.")


def _kept_elsewhere(name: str, content: Content) -> Path | None:
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
    """Let one process at a time work in ``folder``, if the system can lock folders. The lock ends with the process."""
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
