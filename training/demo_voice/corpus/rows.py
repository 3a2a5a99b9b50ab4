"""Training rows out of whole utterances: a reference, then new words, in one voice, every frame as the teacher said it.

Nothing is re-timed or padded. Utterances are chosen such that a row comes out at exactly the wanted length: the silence
that the teacher leaves around an utterance takes up the difference. A row is a list of frame numbers, so mels stay
where they are (on the GPU) and a batch is a few hundred kilobytes.
"""

from __future__ import annotations

import bisect
import math
import random
from dataclasses import dataclass

import numpy as np

from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.errors import CorpusError
from workbench.engine.rules import SHORT_TEXT_BYTES, SHORT_TEXT_SPEED

SPACE = 0
_BRIEF_CHARACTERS = 26
_FEWEST_UTTERANCES = 12  # of a speaker, for a choice, where there are speakers with so many
_CANDIDATES = 12
_SHORTEST_REFERENCE = 90  # frames
_MOST_DRAWS = 5000


@dataclass(frozen=True)
class RowPlan:
    """Shares of the rows.

    Attributes:
        drop: without text and reference, for guidance. free: without reference only. span: with upstream's random span.
        brief: of the others, those that end in a few words. tiny: in a word or two, with the time that upstream gives.
        longest_reference: frames.
    """

    drop: float = 0.12
    free: float = 0.16
    span: float = 0.08
    brief: float = 0.2
    tiny: float = 0.08
    longest_reference: int = 640


@dataclass(frozen=True, eq=False)
class Row:
    """One row of n frames.

    Attributes:
        index: frame numbers in the corpus i64 [n]. ids: characters. begin, end: frames that are to be generated.
        last: (frame in the row, number) of the last utterance.
    """

    index: np.ndarray
    ids: list[int]
    begin: int
    end: int
    drop: bool
    last: tuple[int, int]


Piece = tuple[int, int, int]
"""Number of an utterance, silent frames before and behind it."""


class Composer:
    """Draws rows of a corpus."""

    def __init__(self, corpus: Corpus, plan: RowPlan = RowPlan()) -> None:
        self.corpus, self.plan = corpus, plan
        self.length = corpus.end - corpus.start
        self.characters = np.array([len(ids) for ids in corpus.ids])
        self.pace = self.length / np.maximum(self.characters, 4)
        self.by_length: dict[int, np.ndarray] = {}
        speakers, counts = np.unique(corpus.speaker, return_counts=True)
        for s in speakers[counts >= min(_FEWEST_UTTERANCES, counts.max())]:
            mine = np.flatnonzero(corpus.speaker == s)
            self.by_length[int(s)] = mine[np.argsort(self.length[mine], kind="stable")]
        self.lengths = {s: self.length[mine].tolist() for s, mine in self.by_length.items()}
        self.speakers = list(self.by_length)
        self.weights = [len(mine) ** 0.8 for mine in self.by_length.values()]

    def row(self, n: int, rng: random.Random) -> Row:
        """A row of `n` frames; drawn again until one fits.

        Raises:
            CorpusError: the utterances are too few or too long for it.
        """
        for _ in range(_MOST_DRAWS):
            found = self._drawn(n, rng)
            if found is not None:
                return found
        raise CorpusError(f"No row of {n} frames can be put together.", remedy="Have the teacher speak more shards.")

    def fits(self, n: int) -> bool:
        """Whether rows of `n` frames can be put together: a small corpus has too little of each voice for long ones."""
        try:
            return bool(self.row(n, random.Random(n)))
        except CorpusError:
            return False

    def _drawn(self, n: int, rng: random.Random) -> Row | None:
        plan, draw, speaker = self.plan, rng.random(), rng.choices(self.speakers, self.weights)[0]
        drop = rng.random() < plan.drop
        if drop or draw < plan.free:
            return self._filled(n, speaker, [], rng, drop=drop)
        if draw < plan.free + plan.span:
            row = self._filled(n, speaker, [], rng)
            return row and _with_span(row, rng)
        draw = rng.random()
        if draw < plan.tiny:
            return self._ending(n, speaker, rng, tiny=True)
        if draw < plan.tiny + plan.brief:
            return self._ending(n, speaker, rng, tiny=False)
        reference = self._reference(n, speaker, rng)
        return reference and self._filled(n, speaker, [reference], rng)

    def _reference(self, n: int, speaker: int, rng: random.Random) -> Piece | None:
        lengths, highest = self.lengths[speaker], min(int(0.68 * n), self.plan.longest_reference)
        first, last = bisect.bisect_left(lengths, min(110, highest // 2)), bisect.bisect_right(lengths, highest - 14)
        if last <= first:
            return None
        return int(self.by_length[speaker][rng.randrange(first, last)]), rng.randint(1, 7), rng.randint(3, 12)

    def _filled(self, n: int, speaker: int, pieces: list[Piece], rng: random.Random, drop: bool = False) -> Row | None:
        """The rest of the row with utterances until one fits exactly; what stands in `pieces` is the reference."""
        n_reference, pieces = len(pieces), list(pieces)
        left = n - sum(int(self.length[i]) + before + after for i, before, after in pieces)
        taken = {i for i, _, _ in pieces}
        pace = float(self.pace[pieces[0][0]]) if pieces else 0.0
        lengths, mine = self.lengths[speaker], self.by_length[speaker]
        for k in range(12):
            low, high = (4, 20) if k == 0 else (6, 26)
            fits = None
            if left < 1100 and (left < 420 or rng.random() < 0.5):
                fits = self._fitting(speaker, left, low, high, pace, rng, taken)
            if fits is not None:
                spare = left - int(self.length[fits])
                before = min(rng.randint(2, 7), spare // 2)
                return self._built(n, [*pieces, (fits, before, spare - before)], n_reference, drop)
            room = bisect.bisect_right(lengths, left - 60)
            if room == 0:
                return None
            i = int(mine[rng.randrange(room)])
            if i not in taken:
                pieces.append((i, rng.randint(2, 7), rng.randint(5, 22)))
                taken.add(i)
                left -= int(self.length[i]) + pieces[-1][1] + pieces[-1][2]
                pace = pace or float(self.pace[i])
        return None

    def _fitting(
        self, speaker: int, room: int, low: int, high: int, pace: float, rng: random.Random, without: set[int]
    ) -> int | None:
        """An utterance that leaves `low` to `high` of `room` frames to silence, best with about this pace."""
        lengths, mine = self.lengths[speaker], self.by_length[speaker]
        near = mine[bisect.bisect_left(lengths, room - high) : bisect.bisect_right(lengths, room - low)].tolist()
        if len(near) > _CANDIDATES:
            near = rng.sample(near, _CANDIDATES)
        found = [i for i in near if i not in without]
        if not found:
            return None
        if not pace:
            return rng.choice(found)
        return min(found, key=lambda i: abs(math.log(self.pace[i] / pace)) - 0.12 * math.log(1 - rng.random()))

    def _ending(self, n: int, speaker: int, rng: random.Random, *, tiny: bool) -> Row | None:
        """A reference that fills the row but for a few words at its end."""
        mine = self.by_length[speaker]
        if tiny:
            few = [int(k) for k in mine[: len(mine) // 4 + 1] if self.characters[k] < SHORT_TEXT_BYTES]
        else:
            few = [
                int(k)
                for k in mine[: len(mine) // 3 + 1]
                if SHORT_TEXT_BYTES <= self.characters[k] <= _BRIEF_CHARACTERS
            ]
        if not few:
            return None
        k = rng.choice(few)
        if tiny:
            time = float(np.median(self.pace[mine])) * self.characters[k] / SHORT_TEXT_SPEED * rng.uniform(0.85, 1.15)
            silence = max(round(time) - int(self.length[k]), 6)
            before = min(rng.randint(3, 12), silence // 2)
            ending = (k, before, silence - before)
        else:
            ending = (k, rng.randint(1, 5), rng.randint(2, 10))
        room = n - int(self.length[k]) - ending[1] - ending[2]
        if room < _SHORTEST_REFERENCE:
            return None
        i = self._fitting(speaker, room, 4, 18, 0.0 if tiny else float(self.pace[k]), rng, {k})
        if i is None:
            return None
        spare = room - int(self.length[i])
        head = min(rng.randint(1, 6), spare // 2)
        return self._built(n, [(i, head, spare - head), ending], 1, drop=False)

    def _built(self, n: int, pieces: list[Piece], n_reference: int, drop: bool) -> Row:
        spans, ids, at, begin = [], [], 0, 0
        for k, (i, before, after) in enumerate(pieces):
            spans.append(self._span(i, before, after))
            ids += ([SPACE] if k else []) + self.corpus.ids[i]
            last = (at + before, i)
            at += len(spans[-1])
            begin = at if k < n_reference else begin
        return Row(np.concatenate(spans), ids, begin, n, drop, last)

    def _span(self, i: int, before: int, after: int) -> np.ndarray:
        """Frame numbers of an utterance with so much of its silence around it; where that ends, to and fro in it."""
        n, lead = int(self.corpus.frames[i]), max(1, int(self.corpus.start[i]))
        at = np.arange(self.corpus.start[i] - before, self.corpus.end[i] + after)
        at = np.where(at < 0, (-at) % lead, at)
        room = max(1, n - int(self.corpus.end[i]))
        k = (at - n) % (2 * room)
        back = np.where(k < room, n - 1 - k, n - 2 * room + k)
        return self.corpus.first[i] + np.where(at >= n, np.clip(back, 0, n - 1), at)


def _with_span(row: Row, rng: random.Random) -> Row:
    """Upstream's own training mask: 0.7 to 1 of the row, anywhere."""
    size = int(len(row.index) * rng.uniform(0.7, 1.0))
    begin = rng.randint(0, len(row.index) - size)
    return Row(row.index, row.ids, begin, begin + size, row.drop, row.last)


def batch(composer: Composer, n_rows: int, n: int, rng: random.Random) -> dict[str, np.ndarray]:
    """Arrays of so many rows of `n` frames.

    Returns:
        `index` i64 [b, n], `ids` i64 [b, characters] padded with -1, `n_chars`, `begin`, `end` i64 [b], `drop` bool
        [b], `last` i64 [b, 2].
    """
    rows = [composer.row(n, rng) for _ in range(n_rows)]
    ids = np.full((n_rows, max(len(r.ids) for r in rows)), -1, np.int64)
    for k, row in enumerate(rows):
        ids[k, : len(row.ids)] = row.ids
    return {
        "index": np.stack([r.index for r in rows]).astype(np.int64),
        "ids": ids,
        "n_chars": np.array([len(r.ids) for r in rows]),
        "begin": np.array([r.begin for r in rows]),
        "end": np.array([r.end for r in rows]),
        "drop": np.array([r.drop for r in rows]),
        "last": np.array([r.last for r in rows]),
    }
