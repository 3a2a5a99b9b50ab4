"""Files that operating systems leave in folders."""

from __future__ import annotations

_NAMES = {".ds_store", "desktop.ini", "thumbs.db", "ehthumbs.db", "__macosx"}


def is_clutter(name: str) -> bool:
    """Whether macOS or Windows made the file ``name``, such as ``._x``, ``.DS_Store`` or ``Thumbs.db``."""
    return name.startswith("._") or name.lower() in _NAMES
