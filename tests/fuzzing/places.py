"""What may become of a file on a disk: missing, a folder, a link to nowhere or to itself, not readable, a pipe."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fuzzing import damage
from tests.fuzzing.drawing import Source

HOW = ("missing", "folder", "broken link", "circle", "unreadable", "pipe", "empty")


def spoil(source: Source, path: Path) -> None:
    """Replace the file at ``path`` by something else, drawn from ``HOW``."""
    how = source.random.choice(HOW)
    source.note(f"{path.name}: {how}")
    path.unlink()
    if how == "folder":
        path.mkdir()
        (path / "x").write_text("x")
    elif how in ("broken link", "circle"):
        path.symlink_to(path if how == "circle" else path.parent / "nowhere")
    elif how == "unreadable":
        path.write_text("x")
        path.chmod(0)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "empty":
        path.write_bytes(b"")


def spoil_bytes(source: Source, path: Path) -> None:
    """Damage the content of the file at ``path``."""
    source.note(f"{path.name}: bytes")
    path.write_bytes(damage.in_bytes(source.random, path.read_bytes()))
