"""The rules of a download, free of any network library: caps, cancellation, progress, and when to give up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.engine.errors import Cancelled, FetchError

HUB_HOST = "huggingface.co"
LISTING_MAX_BYTES = 64_000_000  # no answer of the Hub's API comes near; a runaway one must not fill the memory
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Caps:
    """Upper bounds of a download's patience.

    A host that refuses fails at once, one that cannot be reached after ``connect_seconds``, one that accepts and never
    answers, or drips the head of its answer, after ``read_seconds``; a transfer that breaks off is resumed ``retries``
    times. The defaults end the worst of these, a host that falls silent in the middle of each of three attempts, in
    about 35 s.

    Attributes:
        connect_seconds: to find the host's address and reach it.
        read_seconds: without a single byte, and for all of the head of an answer.
        retries: broken transfers of one file that are taken up again.
        slow_seconds, slow_bytes: fewer bytes than this in that time counts as never answering.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    retries: int = 2
    slow_seconds: float = 30.0
    slow_bytes: int = 30_000


@dataclass
class Guard:
    """Watches one fetch: every request and every block of bytes passes by here.

    Attributes:
        total_bytes: of the whole fetch, for ``on_progress``.
        base_bytes: of the files that are done.
        file: the one under way, "" for the listing; ``limit`` its size; ``revision`` the only commit wanted.
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
        """A new file of ``size`` bytes begins; its failures are counted anew."""
        self.check()
        self.revision = revision
        self.file, self.limit, self.failures, self.received = path, size, 0, 0

    def end_file(self) -> None:
        """The file under way is whole."""
        self.base_bytes += self.limit
        self._report(0)
        self.file, self.revision, self.limit, self.received = "", "", LISTING_MAX_BYTES, 0

    def check(self) -> None:
        """Raise Cancelled if that was asked for."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The download was cancelled; nothing that is not whole was kept.")

    def failed(self, why: str) -> None:
        """A transfer broke off. Raises FetchError once that has happened too often."""
        self.check()
        self.failures += 1
        if self.failures > self.caps.retries:
            what = self.file or "the list of files"
            raise FetchError(
                f"{what}: the transfer failed {self.failures} times, last with: {why}.",
                remedy="Check the connection and fetch again.",
            )

    def begin_head(self) -> None:
        """A request is about to be sent; its answer's head has ``read_seconds`` in all. Raises Cancelled."""
        self.check()
        self._in_body, self._head_until = False, None

    def head_until(self, now: float) -> float:
        """Until when a read may last: the end of the head's time, which begins with the first read of it."""
        if self._in_body:
            return math.inf
        if self._head_until is None:
            self._head_until = now + self.caps.read_seconds
        return self._head_until

    def begin_body(self, offset: int) -> None:
        """An answer's body begins, at byte ``offset`` of the file when a transfer is resumed."""
        self.received, self._mark, self._in_body = offset, (time.monotonic(), 0), True

    def heard(self, n_bytes: int) -> None:
        """``n_bytes`` came over the line, whatever they are. Raises Cancelled, or FetchError if that is too slow."""
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
                    remedy="The line or the host is too slow; fetch again later.",
                )
            self._mark = (time.monotonic(), 0)

    def got(self, n_bytes: int) -> None:
        """``n_bytes`` of the body arrived. Raises Cancelled, or FetchError if it is too long."""
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
