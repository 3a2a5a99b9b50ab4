"""Usual duration of a text, by its script: a Chinese character is a syllable, a Latin letter a sound."""

from __future__ import annotations

import regex

# characters per second of calm reading; the numbers include punctuation and spaces
_PACES = (
    (regex.compile(r"\p{Han}"), 4.5),
    (regex.compile(r"[\p{Hiragana}\p{Katakana}]"), 7.5),
    (regex.compile(r"\p{Hangul}"), 5.5),
    (regex.compile(r"\p{Ethiopic}"), 6.0),
    (regex.compile(r"[\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}\p{Thai}\p{Arabic}\p{Hebrew}]"), 11.0),
    (regex.compile(r"\p{Nd}"), 3.5),
)
_ALPHABETIC = 15.0


def usual_seconds(text: str) -> float:
    """Return the seconds of ``text`` at the usual pace of its script; always above 0."""
    seconds, rest = 0.0, len(text)
    for script, pace in _PACES:
        count = len(script.findall(text))
        seconds, rest = seconds + count / pace, rest - count
    return max(0.05, seconds + rest / _ALPHABETIC)
