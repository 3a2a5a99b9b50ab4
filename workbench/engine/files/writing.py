"""Write files so that readers see the old or the new content, never a part; checksums and sizes of files."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.engine.errors import Cancelled

READ_BYTES = 1 << 20
Content = bytes | Callable[[Path], object]  # of a whole file; or what writes it, where it is too large for memory


@contextmanager
def draft_of(path: Path, content: Content) -> Iterator[Path]:
    """Write ``content`` to a hidden file beside ``path`` and yield it for renaming; remove it after the block.

    A function is called with the path of that file, to write it. Its bytes are on disk before the block starts, so a
    power failure after the renaming loses nothing.

    Raises:
        OSError, ValueError: the file cannot be written, or the name is invalid.
    """
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        if isinstance(content, bytes):
            draft.write_bytes(content)
        else:
            content(draft)
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        yield draft
    finally:
        with suppress(OSError, ValueError):
            draft.unlink(missing_ok=True)


def write_whole(path: Path, content: Content) -> Path:
    """Write ``content`` to ``path``; replace an existing file in one step. Raises OSError or ValueError."""
    with draft_of(path, content) as draft:
        return draft.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> Path:
    """Write ``content`` as JSON with sorted keys with ``write_whole``; make the folder of ``path`` if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    return write_whole(path, f"{text}\n".encode())


def sha256_of(
    path: Path, *, on_bytes: Callable[[int], None] | None = None, cancel: threading.Event | None = None
) -> str:
    """Return the hexadecimal sha256 of a file. ``on_bytes`` gets the size of each block (up to 1 MiB).

    Raises:
        Cancelled: ``cancel`` was set.
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"Stopped while reading {path.name}.")
            digest.update(block)
            if on_bytes is not None:
                on_bytes(len(block))
    return digest.hexdigest()


def git_id_of(path: Path) -> str:
    """Return the hexadecimal git blob id of a file, which the Hub lists for files outside LFS."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)).hexdigest()


def human_bytes(n: int) -> str:
    """Return ``n`` bytes as text in decimal units, as on the Hub: 1.35 GB, 54.4 MB, 461 B."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} B"
