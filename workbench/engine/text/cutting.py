"""Cuts a text into pieces of at most so many bytes, at the borders that ``borders`` allows."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import regex

from workbench.engine.rules import SHORT_TEXT_BYTES
from workbench.engine.text import borders

WORD_MAX_BYTES = 100  # a longer word is none, and may be parted
PARAGRAPH_MIN_BYTES = 40  # a shorter paragraph (a line of dialogue) shares its piece with the next: alone it is hurried
_SPACES = regex.compile(r"\s")


class Measure:
    """Bytes of any stretch of a text as it is spoken: spaces count one together, and numbers what their words take.

    Args:
        text: the text.
        spoken: (from, to, words) of what is said otherwise than it is written.
    """

    def __init__(self, text: str, spoken: Sequence[tuple[int, int, str]] = ()) -> None:
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        sizes = 1 + (points > 0x7F).astype(np.int64) + (points > 0x7FF) + (points > 0xFFFF)
        spaces = np.zeros(len(text), bool)
        spaces[[m.start() for m in _SPACES.finditer(text)]] = True
        sizes[spaces] = 1
        sizes[1:][spaces[1:] & spaces[:-1]] = 0
        for low, high, words in spoken:
            sizes[low:high] = 0
            sizes[high - 1] = len(words.encode("utf-8"))
        self._until: list[int] = [0, *np.cumsum(sizes).tolist()]
        self._text = text

    def bytes(self, low: int, high: int) -> int:
        """UTF-8 bytes of ``text[low:high]``, spaces at its end apart."""
        while high > low and self._text[high - 1].isspace():
            high -= 1
        return self._until[high] - self._until[low]

    def index_after(self, low: int, n_bytes: float) -> int:
        """The first index at which ``text[low:index]`` has ``n_bytes`` at least."""
        return bisect.bisect_left(self._until, self._until[low] + n_bytes, lo=low)


def cut(
    text: str,
    max_bytes: int,
    spoken: Sequence[tuple[int, int, str]] = (),
    *,
    keep: Sequence[int] = (),
) -> list[tuple[int, int]]:
    """(from, to) of the pieces of ``text``, in order; together they hold every character that is no space.

    Args:
        text: any text.
        max_bytes: budget of one piece; a piece exceeds it only where no cut is allowed inside.
        spoken: (from, to, words) of what is said otherwise than it is written; never parted.
        keep: cuts that are made in any case.

    A blank line always ends a piece, unless the piece would have fewer than ``PARAGRAPH_MIN_BYTES`` bytes.
    """
    glued, measure = borders.glue(text), Measure(text, spoken)
    for low, high, _ in spoken:
        glued[low + 1 : high] = b"\x01" * (high - low - 1)
    ends = borders.ends(text, glued)
    pieces: list[tuple[int, int]] = []
    starts = sorted({*_paragraph_starts(text, measure), *keep} - {len(text)})
    for low, high in itertools.pairwise([*starts, len(text)]):
        inner = ends[bisect.bisect_right(ends, low) : bisect.bisect_left(ends, high)]
        pieces += _filled(low, [*inner, high], max_bytes, glued, measure, text)
    return [(low, high) for low, high in (_stripped(text, *piece) for piece in pieces) if low < high]


def _paragraph_starts(text: str, measure: Measure) -> Iterator[int]:
    start, after_heading = 0, False
    for low, high, is_heading in borders.blocks(text):
        long_enough = measure.bytes(start, low) >= PARAGRAPH_MIN_BYTES and measure.bytes(low, high) >= SHORT_TEXT_BYTES
        if low == 0 or is_heading or after_heading or long_enough:
            yield low
            start = low
        after_heading = is_heading


def _filled(
    low: int, ends: Sequence[int], max_bytes: int, glued: bytearray, measure: Measure, text: str
) -> Iterator[tuple[int, int]]:
    """Sentences and clauses put together while they fit, as upstream does; those too long by themselves are parted."""
    start, done = low, low
    for end in ends:
        for piece_end in _parted(done, end, max_bytes, glued, measure, text):
            if done > start and measure.bytes(start, piece_end) > max_bytes:
                yield start, done
                start = done
            done = piece_end
    yield start, done


def _parted(low: int, high: int, max_bytes: int, glued: bytearray, measure: Measure, text: str) -> Iterator[int]:
    """Ends of the pieces of similar length that ``text[low:high]`` is parted into where it is too long."""
    while (size := measure.bytes(low, high)) > max_bytes:
        wanted = size / math.ceil(size / max_bytes)
        # what lies far behind the budget need not be looked at, but the rest of a word that is over it must
        reach = min(high, measure.index_after(low, 2 * max_bytes + WORD_MAX_BYTES) + 1)
        at = _best_cut(low, high, reach, wanted, max_bytes, glued, measure, text)
        if at is None and reach < high:
            at = _best_cut(low, high, high, wanted, max_bytes, glued, measure, text)
        if at is None:
            break
        yield at
        low = at
    yield high


def _best_cut(
    low: int, high: int, reach: int, wanted: float, max_bytes: int, glued: bytearray, measure: Measure, text: str
) -> int | None:
    """The cut nearest to ``wanted`` bytes, of the best kind, that leaves at most ``max_bytes``; else the first beyond.

    None where there is no cut at all.
    """
    kinds = list(borders.partings(text, glued, low, reach))
    every = sorted(set().union(*kinds))
    fitting = [[at for at in kind if measure.bytes(low, at) <= max_bytes] for kind in kinds]
    for cuts in fitting:
        # a piece shorter than half the even share would only move the trouble to the next
        cuts = [at for at in cuts if measure.bytes(low, at) >= wanted / 2]
        if cuts:
            return min(cuts, key=lambda at: abs(measure.bytes(low, at) - wanted))
    if any(fitting):
        return max(max(cuts) for cuts in fitting if cuts)
    first = every[0] if every else reach
    if measure.bytes(low, first) > WORD_MAX_BYTES:
        inside = [at for at in borders.clusters(text, glued, low, first) if measure.bytes(low, at) <= max_bytes]
        if inside:
            return min(inside, key=lambda at: abs(measure.bytes(low, at) - wanted))
    return first if first < high and (every or reach < high) and first in every else None


def _stripped(text: str, low: int, high: int) -> tuple[int, int]:
    while low < high and text[low].isspace():
        low += 1
    while low < high and text[high - 1].isspace():
        high -= 1
    return low, high
