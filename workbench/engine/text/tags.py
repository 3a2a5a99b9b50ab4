"""Tags in a text: pauses, which become silence, and other tags, which are reported before synthesis."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from workbench.engine.errors import TextError
from workbench.engine.visible import quoted

PAUSE_MAX_SECONDS = 60.0
_PAUSE = regex.compile(
    r"<\s*break\b(?P<attributes>[^<>]*)>(?:\s*</\s*break\s*>)?|(?<!\\)\[\s*(?:pause|break|silence)\b(?P<length>[^\[\]\n]*)\]",
    regex.IGNORECASE,
)
_TIME = regex.compile(r"""\btime\s*=\s*(["'])\s*(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>ms|s)\s*\1""", regex.I)
_LENGTH = regex.compile(r"[\s:=]*(?P<number>\d+(?:[.,]\d+)?|[.,]\d+)\s*(?P<unit>ms|s|secs?|seconds?)\s*/?", regex.I)
_OTHER = regex.compile(r"</?[A-Za-z][\w:\-]*(?:\s[^<>]*)?/?>|(?<!\\)\[/?[\p{L}][^\[\]\n]{0,40}\](?!\()")
# tags that other engines turn into a sound or a voice; other words in brackets are words
_SOUNDS = regex.compile(
    r"(?i)\[/?(?:laugh\w*|chuckl\w*|giggl\w*|sigh\w*|cough\w*|sniff\w*|gasp\w*|groan\w*|yawn\w*|breath\w*|inhal\w*|"
    r"exhal\w*|whisper\w*|shout\w*|sing\w*|music|noise|applause|clears throat|happy|sad|angry|surprised|excited|"
    r"[\w ]+[:=][^\]]*)\]"
)

_ESCAPE = regex.compile(r"\\[\[\]{}]")


@dataclass(frozen=True)
class Pause:
    """``seconds`` of silence instead of ``text[start:end]``."""

    start: int
    end: int
    seconds: float


def pauses(text: str) -> list[Pause]:
    """Return the pauses of ``text``: ``<break time="700ms"/>``, ``[pause 1.5s]``, ``[pause: 300 ms]``.

    Raises:
        TextError: a pause has no length, or is longer than ``PAUSE_MAX_SECONDS``.
    """
    found = []
    for tag in _PAUSE.finditer(text):
        attributes = tag.group("attributes")
        length = _TIME.search(attributes) if attributes is not None else _LENGTH.fullmatch(tag.group("length").rstrip())
        if length is None:
            raise TextError(
                f"The pause {quoted(tag.group())} has no valid length.",
                remedy='Write [pause 1.5s] or <break time="700ms"/>.',
            )
        number = float(length.group("number").replace(",", "."))
        seconds = number / 1000 if length.group("unit").lower() == "ms" else number
        if not 0 < seconds <= PAUSE_MAX_SECONDS:
            raise TextError(
                f"The pause {quoted(tag.group())} is {seconds:g} s long.",
                remedy=f"Choose more than 0 and at most {PAUSE_MAX_SECONDS:.0f} s.",
            )
        found.append(Pause(*tag.span(), seconds))
    return found


def is_pause(tag: str) -> bool:
    """Whether ``tag`` is that of a pause, with a valid length or without."""
    return _PAUSE.fullmatch(tag) is not None


def is_sound(tag: str) -> bool:
    """Whether ``tag`` is one that other engines turn into a sound, such as [laughs]."""
    return _SOUNDS.fullmatch(tag) is not None


def escapes(text: str) -> list[tuple[int, str]]:
    """Return (start, character) of every bracket or brace with a backslash before it, which begins or ends no tag."""
    return [(found.start(), found.group()[1]) for found in _ESCAPE.finditer(text)]


def others(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, replacement) of every other tag: "" for tags and sounds, the words of other brackets."""
    return [
        (*tag.span(), "" if tag.group()[0] == "<" or _SOUNDS.fullmatch(tag.group()) else tag.group()[1:-1])
        for tag in _OTHER.finditer(text)
        if not _PAUSE.fullmatch(tag.group())
    ]
