"""Does this process look a name up, or connect? Heard below every library."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class _Watch:
    """Python's own audit events of sockets. A hook cannot be removed, so there is one, and it can be deaf."""

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
    """Collect every attempt of this process to look a name up or to connect, while the block runs.

    Works below every library, through ``sys.addaudithook`` (PEP 578). Yields the list that fills.
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
            # by identity: two listeners that heard nothing are equal
            _Watch.listeners[:] = [listener for listener in _Watch.listeners if listener is not heard]
