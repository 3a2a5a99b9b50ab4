"""Read the text to speak from the argument, a file or standard input."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from workbench.engine.errors import TextError, reason_of
from workbench.engine.files.reading import text_of
from workbench.engine.rules import TEXT_MAX_BYTES

READ_MAX_BYTES = TEXT_MAX_BYTES  # of a file or standard input


def read_text(argument: str | None, file: Path | None) -> str:
    """Return the text from the argument, the file, or standard input if the argument is "-".

    Raises:
        TextError: both or none are given, or the content is too long, not UTF-8, or cannot be read.
    """
    if (argument is None) == (file is None):
        raise TextError("Give either a text or --text-file.", remedy='For example: workbench synth "Hello."')
    if file is not None:
        return _decoded(_content(file), str(file))
    return _decoded(_standard_input(), "Standard input") if argument == "-" else argument or ""


def _standard_input() -> bytes:
    try:
        raw = getattr(sys.stdin, "buffer", sys.stdin)
        content = raw.read(READ_MAX_BYTES + 1)
    except (OSError, ValueError, AttributeError) as error:  # it is None if closed
        raise TextError("Standard input cannot be read.", remedy="Give the text, or --text-file.") from error
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")


def _content(file: Path) -> bytes:
    """Return the bytes of ``file``. Reads pipes too, but does not wait for a pipe without a writer."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise TextError(f"Cannot read {file}: {reason_of(error)}.", remedy="Check the path.") from error
    try:
        with open(handle, "rb") as source:
            if stat.S_ISFIFO(os.fstat(handle).st_mode):
                os.set_blocking(handle, True)
            return source.read(READ_MAX_BYTES + 1)
    except OSError as error:
        raise TextError(f"Cannot read {file}: {reason_of(error)}.", remedy="Check the path.") from error


def _decoded(content: bytes, source: str) -> str:
    if len(content) > READ_MAX_BYTES:
        raise TextError(
            f"{source} has more than {READ_MAX_BYTES:,} bytes.", remedy="Split it, for example by chapters."
        )
    return text_of(content, source)
