"""Writing a file so that readers see the old content or the new one, never a part; checksums and sizes of files."""

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


@contextmanager
def draft_of(path: Path, content: bytes) -> Iterator[Path]:
    """A hidden file beside ``path`` that holds ``content``, to be renamed within the block; removed if it was not.

    Its bytes are on the disk before the block begins, so that a power cut after the renaming loses nothing.

    Raises:
        OSError, ValueError: it cannot be written, or the system cannot take the name.
    """
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        draft.write_bytes(content)
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        yield draft
    finally:
        with suppress(OSError, ValueError):
            draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> Path:
    """Write ``content`` to ``path``, replacing what is there in one step. Raises OSError or ValueError."""
    with draft_of(path, content) as draft:
        return draft.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> Path:
    """Write ``content`` as JSON with sorted keys to ``path``, as ``write_whole`` does; makes its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    return write_whole(path, f"{text}\n".encode())


def sha256_of(
    path: Path, *, on_bytes: Callable[[int], None] | None = None, cancel: threading.Event | None = None
) -> str:
    """Hexadecimal sha256 of a file. ``on_bytes`` gets the size of each block (up to 1 MiB). Raises Cancelled."""
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
    """Hexadecimal git blob id of a file, which the Hub lists for files outside of LFS."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)).hexdigest()


def human_bytes(n: int) -> str:
    """``n`` bytes for people: 1.35 GB, 54.4 MB, 461 B (decimal units, as the Hub shows them)."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} B"
