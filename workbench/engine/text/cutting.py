"""Cut a text into pieces within a byte budget, at the places that ``borders`` allows."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import regex

from workbench.engine.rules import SHORT_TEXT_BYTES
from workbench.engine.text import borders

WORD_MAX_BYTES = 100  # longer words may be split
PARAGRAPH_MIN_BYTES = 40  # shorter paragraphs (lines of dialogue) join the next one: alone they are spoken too fast
_SPACES = regex.compile(r"\s")


class Measure:
    """Bytes of parts of a text as spoken: a sequence of spaces counts as one byte, a number as its words.

    Args:
        text: the text.
        spoken: (start, end, words) of the parts that are spoken differently.
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
        """Return the UTF-8 bytes of ``text[low:high]`` without spaces at its end."""
        while high > low and self._text[high - 1].isspace():
            high -= 1
        return self._until[high] - self._until[low]

    def index_after(self, low: int, n_bytes: float) -> int:
        """Return the first index for which ``text[low:index]`` has at least ``n_bytes``."""
        return bisect.bisect_left(self._until, self._until[low] + n_bytes, lo=low)


def cut(
    text: str,
    max_bytes: int,
    spoken: Sequence[tuple[int, int, str]] = (),
    *,
    keep: Sequence[int] = (),
) -> list[tuple[int, int]]:
    """Return (start, end) of the pieces of ``text``, in order. They contain every character except spaces.

    Args:
        text: any text.
        max_bytes: budget of one piece; a piece exceeds it only if no cut is allowed inside.
        spoken: (start, end, words) of the parts that are spoken differently; they are never split.
        keep: cuts to make in any case.

    A blank line ends a piece, unless the piece would have fewer than ``PARAGRAPH_MIN_BYTES`` bytes.
    """
    glued, measure = borders.glue(text), Measure(text, spoken)
    for low, high, _ in spoken:
        glued[low + 1 : high] = b"\x01" * (high - low - 1)
    ends = borders.ends(text, glued)
    pieces: list[tuple[int, int]] = []
    starts = sorted({*_paragraph_starts(text, measure), *keep} - {len(text)})
    for low, high in itertools.pairwise([*starts, len(text)]):
        inner = ends[bisect.bisect_right(ends, low) : bisect.bisect_left(ends, high)]
        pieces += _joined(low, [*inner, high], max_bytes, glued, measure, text)
    return [(low, high) for low, high in (_stripped(text, *piece) for piece in pieces) if low < high]


def _paragraph_starts(text: str, measure: Measure) -> Iterator[int]:
    start, after_heading = 0, False
    for low, high, is_heading in borders.blocks(text):
        long_enough = measure.bytes(start, low) >= PARAGRAPH_MIN_BYTES and measure.bytes(low, high) >= SHORT_TEXT_BYTES
        if low == 0 or is_heading or after_heading or long_enough:
            yield low
            start = low
        after_heading = is_heading


def _joined(
    low: int, ends: Sequence[int], max_bytes: int, glued: bytearray, measure: Measure, text: str
) -> Iterator[tuple[int, int]]:
    """Yield pieces of as many sentences and clauses as fit, as upstream does; split those that are too long."""
    start, done = low, low
    for end in ends:
        for piece_end in _split(done, end, max_bytes, glued, measure, text):
            if done > start and measure.bytes(start, piece_end) > max_bytes:
                yield start, done
                start = done
            done = piece_end
    yield start, done


def _split(low: int, high: int, max_bytes: int, glued: bytearray, measure: Measure, text: str) -> Iterator[int]:
    """Yield the ends of the pieces of similar length into which ``text[low:high]`` is split if it is too long."""
    while (size := measure.bytes(low, high)) > max_bytes:
        wanted = size / math.ceil(size / max_bytes)
        # text far beyond the budget is not searched, except the rest of a word that exceeds it
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
    """Return the cut of the best kind that is nearest to ``wanted`` bytes and within ``max_bytes``, else the next cut.

    Returns None if there is no cut.
    """
    kinds = list(borders.partings(text, glued, low, reach))
    every = sorted(set().union(*kinds))
    fitting = [[at for at in kind if measure.bytes(low, at) <= max_bytes] for kind in kinds]
    for cuts in fitting:
        # a piece shorter than half of the even share would make the next one too long
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
