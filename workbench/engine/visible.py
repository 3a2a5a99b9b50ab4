"""Make text from users and files safe to show in a terminal, a log line or a message."""

from __future__ import annotations

import re
from typing import Any

QUOTE_CHARACTERS = 60  # longest quoted value in a message
_INT_BITS_SHOWN = 200  # larger integers are described: Python does not print more than 4,300 digits

# C0 and C1 controls, line and paragraph separators, marks that change the writing direction, lone surrogates
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return ``text`` with escape sequences for control characters and for characters that cannot be encoded.

    An undecodable byte of a file name, which Python keeps as a lone surrogate, is shown as the byte: ``\\xe9``.
    """
    return _HIDDEN.sub(_escape, text)


def visible_json(line: str) -> str:
    """Return a line of JSON with such characters escaped, so that its meaning stays the same."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", line)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return found.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, limit: int = QUOTE_CHARACTERS) -> str:
    """Return ``text``, or its start and end with … between them: at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1]}…{text[len(text) - tail :]}"


def quoted(value: Any, limit: int = QUOTE_CHARACTERS) -> str:
    """Return ``value`` for a message in about ``limit`` characters; what is no text or number by its type alone."""
    if isinstance(value, int) and value.bit_length() > _INT_BITS_SHOWN:
        return f"a whole number of about {round(value.bit_length() * 0.30103):,} digits"
    if isinstance(value, str | bytes) and len(value) > limit:
        half = limit // 2
        return f"{value[:half]!r}… ({len(value):,} {'characters' if isinstance(value, str) else 'bytes'})"
    if value is None or isinstance(value, str | bytes | int | float):
        return shorten(visible(repr(value)), limit)
    return f"a {type(value).__name__}"
