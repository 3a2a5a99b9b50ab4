"""Cache of runs and files for all visitors, limited by the bytes of its arrays."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

LIMIT_BYTES = 256 * 2**20
TABLE_ROWS = 8  # a longer list holds items of one kind: the chunks, spans or rows of a run
TABLE_COLUMNS = 64  # a larger dictionary holds items of one kind; a document has fewer fields
T = TypeVar("T")


def array_bytes(thing: Any, seen: set[int]) -> int:
    """Return the bytes of the arrays and byte strings in ``thing`` and its cached properties, except those in ``seen``.

    Adds everything counted to ``seen``. Two views of one array count once. A long list is a table: if its first items
    hold no arrays, the others are not looked at.
    """
    if isinstance(thing, str | int | float | None) or id(thing) in seen:
        return 0
    while isinstance(thing, np.ndarray) and isinstance(thing.base, np.ndarray):
        thing = thing.base
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray | bytes):
        return thing.nbytes if isinstance(thing, np.ndarray) else len(thing)
    if isinstance(thing, list | tuple):
        parts: Sequence[Any] = thing
        is_table = len(parts) > TABLE_ROWS
    else:
        # copy to a list: another thread may add a cached property
        parts = list((thing if isinstance(thing, dict) else getattr(thing, "__dict__", {})).values())
        is_table = isinstance(thing, dict) and len(parts) > TABLE_COLUMNS
    if is_table and not any(array_bytes(part, set()) for part in parts[:TABLE_ROWS]):
        return 0
    return sum(array_bytes(part, seen) for part in parts)


class Kept:
    """A cache of values by key that drops the least recently used values above ``limit_bytes`` in total.

    The newest value always stays. Thread-safe: the first call makes a value, other calls wait for it.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], *, versions_of: int = 0) -> T:
        """Return the value of ``key``; make it if it is not in the cache. Errors of ``make`` propagate.

        Args:
            key: of the value.
            make: makes it.
            versions_of: if not 0, keys that are tuples and equal in their first so many parts are versions of one
                thing: a new one replaces the others.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    found: T = self._values[key]
                    return found
            try:
                value = make()
                with self._lock:
                    if versions_of and isinstance(key, tuple):
                        self._drop_versions(key[:versions_of])
                    self._values[key] = value
                    self._trim()
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value

    @property
    def n_bytes(self) -> int:
        """Present bytes of all values, including properties that were computed later."""
        with self._lock:
            seen: set[int] = set()
            return sum(array_bytes(value, seen) for value in self._values.values())

    def _drop_versions(self, of: tuple[Hashable, ...]) -> None:
        for key in list(self._values):
            if isinstance(key, tuple) and key[: len(of)] == of:
                del self._values[key]

    def _trim(self) -> None:
        """Drop the oldest values until the rest fits. Sizes are measured again, because values grow in use."""
        seen: set[int] = set()
        total = 0
        for index, key in enumerate(reversed(list(self._values))):
            total += array_bytes(self._values[key], seen)
            if index and total > self.limit_bytes:
                for older in list(self._values):
                    del self._values[older]
                    if older == key:
                        return
