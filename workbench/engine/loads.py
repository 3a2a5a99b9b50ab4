"""How often this process has loaded which model: each is to be loaded once."""

from __future__ import annotations

import threading
from collections import Counter

_counts: Counter[tuple[str, str]] = Counter()
_lock = threading.Lock()


def count_load(kind: str, name: str) -> None:
    """Note that the ``kind`` ("acoustic", "vocoder", "recogniser") of the entry ``name`` is being loaded."""
    with _lock:
        _counts[kind, name] += 1


def n_loads(kind: str, name: str) -> int:
    """How often the ``kind`` of the entry ``name`` was loaded."""
    with _lock:
        return _counts[kind, name]
