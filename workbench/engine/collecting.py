"""Python's search for garbage, put off while packages are imported and models are loaded.

An import of PyTorch makes half a million objects. All of them stay, but Python would go through all that are there
again and again meanwhile, which is a quarter of the time from the start of the pages to a loaded model.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

START = "start"  # of the server, until its model is loaded
_lock = threading.Lock()
_reasons: set[object] = set()


def pause(reason: object = START) -> None:
    """Look for no garbage until ``resume`` is called with the same ``reason``."""
    with _lock:
        if _reasons or gc.isenabled():  # else the user has switched it off
            _reasons.add(reason)
            gc.disable()


def resume(reason: object = START) -> None:
    """Look for garbage again, unless there is another reason not to. Without a ``pause`` it does nothing."""
    with _lock:
        if reason in _reasons:
            _reasons.remove(reason)
            if not _reasons:
                gc.enable()


@contextmanager
def paused() -> Iterator[None]:
    """Look for no garbage within the block, in any thread."""
    reason = object()
    pause(reason)
    try:
        yield
    finally:
        resume(reason)


def spare() -> None:
    """Remove the garbage of now, and leave out what stays from every later search.

    For a server that has loaded what it needs: a search then no longer holds up all its visitors.
    """
    gc.collect()
    gc.freeze()
