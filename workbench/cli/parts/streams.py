"""Guard standard output and error: a full disk, a closed pipe or an encoding causes a message, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from workbench.engine.errors import OutputError, reason_of


class Closed(OutputError):
    """The reader closed the pipe, as ``| head`` does. This is no mistake and needs no message."""


class _Guarded:
    """Wrap ``stream``: pass write errors to ``failed``; forward everything else to the stream."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream, self._failed = stream, failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def write(self, text: str) -> int:
        """Do as the stream does; pass errors to ``failed``."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def writelines(self, lines: Any) -> None:
        """Do as the stream does; pass errors to ``failed``."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do as the stream does; pass errors to ``failed``."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)


def _tell(error: OSError) -> None:
    _forget(sys.__stdout__)
    if isinstance(error, BrokenPipeError):
        raise Closed("The reader closed the output.") from error
    raise OutputError(
        f"Cannot write to standard output: {reason_of(error)}.", remedy="Redirect it to another place."
    ) from error


def _forget(stream: TextIO | None) -> None:
    """Discard the buffered output; otherwise the interpreter reports it at exit."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard both streams in the block: write errors of ``sys.stdout`` raise OutputError; ``sys.stderr`` ignores them.

    Characters that the encoding lacks are written as escape sequences. A closed stream discards its output.
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
