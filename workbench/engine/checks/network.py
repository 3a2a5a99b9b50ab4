"""Record every name look-up and connection of this process, below all libraries."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class _Watch:
    """State of the one audit hook for sockets. A hook cannot be removed, so it ignores events without listeners."""

    installed = False
    listeners: list[list[str]] = []  # noqa: RUF012  one list for the process, on purpose
    lock = threading.Lock()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK_EVENTS and _Watch.listeners:
        where = [a for a in arguments if not hasattr(a, "fileno")]
        if event == "socket.connect" and where and isinstance(where[0], str | bytes):
            return  # a local socket file
        for listener in _Watch.listeners:
            listener.append(f"{event} {where}")


@contextmanager
def watch_network() -> Iterator[list[str]]:
    """Record every name look-up and connection attempt of this process while the block runs.

    Uses ``sys.addaudithook`` (PEP 578). Yields the list, which grows with each attempt.
    """
    heard: list[str] = []
    with _Watch.lock:
        if not _Watch.installed:
            sys.addaudithook(_hear)
            _Watch.installed = True
        _Watch.listeners.append(heard)
    try:
        yield heard
    finally:
        with _Watch.lock:
            # by identity: two empty lists are equal
            _Watch.listeners[:] = [listener for listener in _Watch.listeners if listener is not heard]
