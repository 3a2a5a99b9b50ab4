"""Let one thread at a time use the models, and raise an error where waiting would never end."""

from __future__ import annotations

import os
import sys
import threading

from workbench.engine.errors import EngineError

_REMEDY = 'Start workers with "spawn" (multiprocessing.get_context("spawn")) and load the engine in them.'
_forked_with_torch = False


def _note_fork() -> None:
    global _forked_with_torch
    _forked_with_torch = _forked_with_torch or "torch" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_note_fork)


def refuse_after_fork() -> None:
    """Raise EngineError in a process that was forked from a process with PyTorch.

    A fork copies the locks of PyTorch's threads but not the threads, so the first large product would never end.
    """
    if _forked_with_torch:
        raise EngineError(
            "This process was forked from one that had loaded PyTorch; PyTorch would hang here.", remedy=_REMEDY
        )


class Turn:
    """A lock that knows the thread that holds it. Use it as a context manager; other threads wait.

    Raises:
        EngineError: the thread already holds it, or the process was forked after it was made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._process = os.getpid()

    def __enter__(self) -> None:
        if os.getpid() != self._process:
            raise EngineError("This engine was loaded before a fork; it would hang here.", remedy=_REMEDY)
        if self._owner == threading.get_ident():
            raise EngineError(
                "The engine is already speaking in this thread.",
                remedy="Call it after the run, or from on_chunk; on_step is for progress.",
            )
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *ignored: object) -> None:
        self._owner = None
        self._lock.release()
