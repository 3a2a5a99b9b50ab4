"""Links of the Hub's cache that became text files.

A snapshot links each file to a blob that is named by its content. Git on Windows, zip and USB sticks keep the target of
a link as text; SMB writes "XSym" before it, Cygwin "!<symlink>" and two bytes a character.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

LINK_MAX_BYTES = 1100  # an XSym file has 1067
_TARGET = re.compile(rb"[^\r\n]{0,900}[/\\]blobs[/\\]([0-9a-f]{64}|[0-9a-f]{40})")


def is_blob_name(name: str) -> bool:
    """Whether ``name`` is that of a blob: a sha256, or the git id of a small file."""
    return len(name) in (40, 64) and set(name) <= set("0123456789abcdef")


def blob_in_text(raw: bytes) -> str:
    """Name of the blob to which a file with the content ``raw`` was a link; empty if it was none."""
    if len(raw) > LINK_MAX_BYTES:
        return ""
    text = raw.replace(b"\0", b"").removeprefix(b"!<symlink>").removeprefix(b"\xff\xfe")
    if text.startswith(b"XSym"):  # then, a line each: length of the target, its md5, the target
        text = text.split(b"\n", 3)[-1]
    found = _TARGET.fullmatch(text.strip())
    return found[1].decode() if found else ""


def followed(path: Path) -> Path:
    """``path`` itself, or its blob if it is a link that became a text file, and the blob is in the repository's folder.

    Only blobs beside the ``snapshots`` folder that ``path`` lies in are found. A blob's name has no suffix.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LINK_MAX_BYTES:
            return path
        blob = blob_in_text(path.read_bytes())
        base = next((p.parent for p in path.absolute().parents if p.name == "snapshots"), None)
        if blob and base is not None and (base / "blobs" / blob).is_file():
            return base / "blobs" / blob
    except OSError:  # whoever uses the file will say so
        return path
    return path
