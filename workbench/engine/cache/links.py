"""Follow links of the Hub's cache that became text files.

A snapshot links each file to a blob whose name depends on its content. Git on Windows, zip and USB sticks store the
target of a link as text; SMB writes "XSym" before it, Cygwin "!<symlink>" and two bytes per character.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

LINK_MAX_BYTES = 1100  # an XSym file has 1067
_TARGET = re.compile(rb"[^\r\n]{0,900}[/\\]blobs[/\\]([0-9a-f]{64}|[0-9a-f]{40})")


def is_blob_name(name: str) -> bool:
    """Whether ``name`` is the name of a blob: a sha256, or the git id of a small file."""
    return len(name) in (40, 64) and set(name) <= set("0123456789abcdef")


def blob_in_text(raw: bytes) -> str:
    """Return the name of the blob in the text ``raw`` of a former link; empty if it is no such text."""
    if len(raw) > LINK_MAX_BYTES:
        return ""
    text = raw.replace(b"\0", b"").removeprefix(b"!<symlink>").removeprefix(b"\xff\xfe")
    if text.startswith(b"XSym"):  # followed by lines with length of the target, its md5, the target
        text = text.split(b"\n", 3)[-1]
    found = _TARGET.fullmatch(text.strip())
    return found[1].decode() if found else ""


def followed(path: Path) -> Path:
    """Return ``path``, or its blob if ``path`` is a link that became a text file.

    The blob must be beside the ``snapshots`` folder of ``path``. Its name has no suffix.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LINK_MAX_BYTES:
            return path
        blob = blob_in_text(path.read_bytes())
        base = next((p.parent for p in path.absolute().parents if p.name == "snapshots"), None)
        if blob and base is not None and (base / "blobs" / blob).is_file():
            return base / "blobs" / blob
    except OSError:  # reading the file later raises the error
        return path
    return path
