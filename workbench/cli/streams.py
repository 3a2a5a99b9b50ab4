"""Standard output and error that fail in words: never a traceback for a full disk, a closed pipe or an encoding."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from workbench.engine.errors import OutputError, reason_of


class Closed(OutputError):
    """Nobody reads on, as after ``| head``: no mistake, and nothing to say."""


class _Guarded:
    """``stream`` whose failures to write are handed to ``failed``; everything else is the stream's own."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream, self._failed = stream, failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def write(self, text: str) -> int:
        """As the stream's."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def writelines(self, lines: Any) -> None:
        """As the stream's."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As the stream's."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)


def _tell(error: OSError) -> None:
    _forget(sys.__stdout__)
    if isinstance(error, BrokenPipeError):
        raise Closed("Nobody reads the output.") from error
    raise OutputError(
        f"Cannot write to standard output: {reason_of(error)}.", remedy="Send it somewhere else."
    ) from error


def _forget(stream: TextIO | None) -> None:
    """Let what is still buffered go nowhere, or the interpreter would complain about it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)


@contextmanager
def guarded() -> Iterator[None]:
    """Within it, ``sys.stdout`` raises OutputError where it cannot be written and ``sys.stderr`` is silent then.

    Characters that their encoding lacks are written as escape sequences; a stream that is closed leads nowhere.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = sys.stdout or nowhere, sys.stderr or nowhere
        for stream in (out, err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        sys.stdout = _Guarded(out, _tell)
        sys.stderr = _Guarded(err, lambda error: _forget(sys.__stderr__))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
