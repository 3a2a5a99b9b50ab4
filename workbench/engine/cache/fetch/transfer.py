"""Limits, cancellation and progress of a download, without any network library."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.engine.errors import Cancelled, FetchError

HUB_HOST = "huggingface.co"
LISTING_MAX_BYTES = 64_000_000  # far above any answer of the Hub's API; an endless answer must not fill the memory
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Caps:
    """Time limits of a download.

    A host that refuses fails at once, one that cannot be reached after ``connect_seconds``, and one that accepts the
    connection but does not send the whole head of its answer after ``read_seconds``. A broken transfer is resumed
    ``retries`` times. The worst case, a host that stops sending in each of three attempts, ends in about 35 s.

    Attributes:
        connect_seconds: limit for looking up the host and connecting.
        read_seconds: limit for silence, and for the whole head of an answer.
        retries: how often a broken transfer of one file is resumed.
        slow_seconds, slow_bytes: a transfer below ``slow_bytes`` in ``slow_seconds`` fails.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    retries: int = 2
    slow_seconds: float = 30.0
    slow_bytes: int = 30_000


@dataclass
class Guard:
    """Watches one fetch: is called for every request and every block of bytes.

    Attributes:
        total_bytes: size of the whole fetch, for ``on_progress``.
        base_bytes: size of the finished files.
        file: current file, "" for the listing; ``limit`` its size in bytes; ``revision`` the only accepted commit.
    """

    caps: Caps
    cancel: threading.Event | None = None
    on_progress: Progress | None = None
    total_bytes: int = 0
    base_bytes: int = 0
    file: str = ""
    revision: str = ""
    limit: int = LISTING_MAX_BYTES
    failures: int = 0
    received: int = 0
    _mark: tuple[float, int] = field(default=(0.0, 0))
    _in_body: bool = False
    _head_until: float | None = None

    def begin_file(self, path: str, size: int, revision: str) -> None:
        """Begin a file of ``size`` bytes and reset the count of failures."""
        self.check()
        self.revision = revision
        self.file, self.limit, self.failures, self.received = path, size, 0, 0

    def end_file(self) -> None:
        """End the current file, which is complete."""
        self.base_bytes += self.limit
        self._report(0)
        self.file, self.revision, self.limit, self.received = "", "", LISTING_MAX_BYTES, 0

    def check(self) -> None:
        """Raise Cancelled if ``cancel`` is set."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The download was cancelled; no incomplete file was kept.")

    def failed(self, why: str) -> None:
        """Count a broken transfer. Raises FetchError after more than ``caps.retries``."""
        self.check()
        self.failures += 1
        if self.failures > self.caps.retries:
            what = self.file or "the list of files"
            raise FetchError(
                f"{what}: the transfer failed {self.failures} times, last with: {why}.",
                remedy="Check the connection and fetch again.",
            )

    def begin_head(self) -> None:
        """Begin a request: the whole head of its answer has ``read_seconds``. Raises Cancelled."""
        self.check()
        self._in_body, self._head_until = False, None

    def head_until(self, now: float) -> float:
        """Time at which the current read must end; the limit of a head starts with its first read."""
        if self._in_body:
            return math.inf
        if self._head_until is None:
            self._head_until = now + self.caps.read_seconds
        return self._head_until

    def begin_body(self, offset: int) -> None:
        """Begin the body of an answer, at byte ``offset`` of the file if a transfer is resumed."""
        self.received, self._mark, self._in_body = offset, (time.monotonic(), 0), True

    def heard(self, n_bytes: int) -> None:
        """Count ``n_bytes`` received from the network. Raises Cancelled, or FetchError if the transfer is too slow."""
        self.check()
        if not self._in_body:
            return
        since, arrived = self._mark[0], self._mark[1] + n_bytes
        self._mark = (since, arrived)
        elapsed = time.monotonic() - since
        if elapsed >= self.caps.slow_seconds:
            if arrived < self.caps.slow_bytes:
                raise FetchError(
                    f"{self.file or 'The list of files'}: only {arrived} bytes in {elapsed:.0f} s.",
                    remedy="The connection or the host is too slow; fetch again later.",
                )
            self._mark = (time.monotonic(), 0)

    def got(self, n_bytes: int) -> None:
        """Count ``n_bytes`` of the body. Raises Cancelled, or FetchError if the body is too long."""
        self.check()
        self.received += n_bytes
        if self.received > self.limit:
            what = self.file or "The list of files"
            raise FetchError(
                f"{what} is longer than the {self.limit} bytes announced.",
                remedy="Something other than the Hub answered; check HF_ENDPOINT and any proxy.",
            )
        if self.file:
            self._report(self.received)

    def _report(self, of_file: int) -> None:
        if self.on_progress is not None:
            self.on_progress(self.file, min(self.base_bytes + of_file, self.total_bytes), self.total_bytes)
