"""Files that systems leave in folders: no part of what a person keeps there."""

from __future__ import annotations

_NAMES = {".ds_store", "desktop.ini", "thumbs.db", "ehthumbs.db", "__macosx"}


def is_clutter(name: str) -> bool:
    """Is ``name`` what macOS or Windows leave behind: ``._*``, ``.DS_Store``, ``desktop.ini``, ``Thumbs.db``?"""
    return name.startswith("._") or name.lower() in _NAMES
