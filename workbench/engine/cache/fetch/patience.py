"""Sockets that can be cancelled and keep a deadline while they connect, negotiate TLS or wait for an answer's head.

httpx limits only silence: it would wait for ever for a host that sends single bytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpcore

from workbench.engine.cache.fetch.transfer import Guard

SLICE_SECONDS = 0.2  # between two checks of the cancel event
T = TypeVar("T")


def within(seconds: float, guard: Guard, work: Callable[[], T], discard: Callable[[T], None]) -> T:
    """Call ``work`` in a thread, since it can neither be stopped nor limited, and return its result.

    Raises:
        TimeoutError: ``work`` took longer than ``seconds``; ``discard`` is called with a late result.
        Cancelled: on request.
    """
    done: list[tuple[T | None, BaseException | None]] = []
    gone, guarding = False, threading.Lock()

    def attempt() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = (work(), None)
        except BaseException as error:
            outcome = (None, error)
        with guarding:
            done.append(outcome)
            late = gone and outcome[1] is None
        if late:
            discard(outcome[0])  # type: ignore[arg-type]

    worker = threading.Thread(target=attempt, name="hub-wait", daemon=True)
    worker.start()
    until = time.monotonic() + seconds
    try:
        while worker.is_alive() and time.monotonic() < until:
            worker.join(SLICE_SECONDS)
            guard.check()
    finally:
        with guarding:
            gone = not done
    if not done:
        raise TimeoutError(f"no answer within {seconds:g} s")
    value, error = done[0]
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


class PatientStream(httpcore.NetworkStream):
    """A connection that reads in slices and reports the bytes of each to the guard."""

    def __init__(self, inner: httpcore.NetworkStream, guard: Guard) -> None:
        self._inner, self._guard = inner, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read a block. Raises ReadTimeout after ``timeout`` s of silence, or if the head of an answer takes longer."""
        guard = self._guard
        now = time.monotonic()
        until = min(now + (guard.caps.read_seconds if timeout is None else timeout), guard.head_until(now))
        while True:
            guard.check()
            left = until - time.monotonic()
            if left <= 0:
                raise httpcore.ReadTimeout("no answer in time")
            try:
                block = self._inner.read(max_bytes, min(left, SLICE_SECONDS))
            except httpcore.ReadTimeout:
                continue
            guard.heard(len(block))
            return block

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        limit = self._guard.caps.connect_seconds if timeout is None else timeout
        try:
            inner = within(
                limit,
                self._guard,
                lambda: self._inner.start_tls(ssl_context, server_hostname, limit),
                lambda stream: stream.close(),
            )
        except TimeoutError as error:
            self._inner.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except BaseException:
            self._inner.close()
            raise
        return PatientStream(inner, self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class PatientBackend(httpcore.NetworkBackend):
    """Makes httpcore's connections; one limit covers the look-up of the name and all addresses of a host."""

    def __init__(self, guard: Guard) -> None:
        self._inner, self._guard = httpcore.SyncBackend(), guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limit = self._guard.caps.connect_seconds if timeout is None else timeout
        try:
            inner = within(
                limit,
                self._guard,
                lambda: self._inner.connect_tcp(host, port, limit, local_address, socket_options),
                lambda stream: stream.close(),
            )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        return PatientStream(inner, self._guard)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class PatientClock:
    """Replaces the library's ``time``, whose sleep between two attempts cannot be cancelled."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._guard.check()
            time.sleep(min(left, SLICE_SECONDS))

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
