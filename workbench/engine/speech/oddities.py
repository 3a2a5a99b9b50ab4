"""Warnings about a reference recording and its words."""

from __future__ import annotations

import numpy as np
import regex

from workbench.engine import rules
from workbench.engine.signal import quality
from workbench.engine.speech.text import n_bytes

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


def pause_warnings(pauses: list[tuple[int, int]], rate: int) -> list[str]:
    """Return a warning if there are long ``pauses``, (first, last + 1) in samples at ``rate`` Hz."""
    if not pauses:
        return []
    places = ", ".join(f"{(end - first) / rate:.1f} s at {first / rate:.1f} s" for first, end in pauses[:3])
    more = f" and {len(pauses) - 3} more" if len(pauses) > 3 else ""
    return [
        f"long silence in the recording: {places}{more}; it does not count for the pace, but the model may imitate it: "
        "shorten it (--shorten-pauses on the command line)"
    ]


def reference_warnings(
    whole: np.ndarray, clipped: np.ndarray, wave: np.ndarray, text: str, pauses: list[tuple[int, int]], rate: int
) -> list[str]:
    """Return the warnings about length, clipping, level and pace of a reference; ``wave`` is its prepared recording."""
    found = []
    seconds = len(wave) / rate
    if len(clipped) < len(whole):
        found.append(
            f"the recording was {len(whole) / rate:.1f} s long and was clipped to {len(clipped) / rate:.1f} s: "
            "shorten its text to the words of this part, or the speech will be too fast"
        )
    if seconds < 2:
        found.append(f"{seconds:.1f} s of reference: 3 to 10 s give a better likeness")
    return (
        found + pace_warnings(text, quality.pace_samples(len(wave), pauses, rate) / rate) + quality.remarks(whole, rate)
    )


def pace_warnings(text: str, seconds: float) -> list[str]:
    """Return a warning if ``text`` does not fit into ``seconds``, or is much shorter."""
    size, usual = n_bytes(text), usual_seconds(text)
    low, high = (factor * size / usual for factor in rules.PACE_RANGE)
    if low <= size / seconds <= high:
        return []
    many = "more" if size / seconds > high else "fewer"
    return [
        f"{size} bytes of text for {seconds:.1f} s of speech: {size / seconds:.1f} bytes of text per second, usually "
        f"{low:.0f} to {high:.0f}; the text has {many} words than the recording, or does not belong to it"
    ]


def usual_seconds(text: str) -> float:
    """Return the seconds of ``text`` at the usual pace of its script; always above 0."""
    seconds, rest = 0.0, len(text)
    for script, pace in _PACES:
        count = len(script.findall(text))
        seconds, rest = seconds + count / pace, rest - count
    return max(0.05, seconds + rest / _ALPHABETIC)
