"""The first page after the start of the server goes before the models: both need the interpreter, which runs one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_VISIT_SECONDS = 1.0  # a server that nobody looks at loads its models after this
_PAGE_SECONDS = 5.0
_begun, _drawn = threading.Event(), threading.Event()


@contextmanager
def drawing() -> Iterator[None]:
    """Note that a page is drawn within the block."""
    _begun.set()
    try:
        yield
    finally:
        _drawn.set()


def wait() -> None:
    """Return when the first page has been drawn, or soon if nobody asks for one."""
    if _begun.wait(_VISIT_SECONDS):
        _drawn.wait(_PAGE_SECONDS)
