"""Training rows put together as inference does it: a reference, then new words, in one voice.

A reference keeps its rhythm. New words are re-timed: rhythm inside a few words stays as it was spoken, slow drift
against their text is taken out (module `placing` says when each character is due), because finding each frame's
character is what a small model learns last. Every row of a batch is filled to exactly one length, so that no padding
mask is needed.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from training.demo_voice import network
from training.demo_voice.corpus import SILENCE, Corpus
from training.demo_voice.placing import spoken_frames
from workbench.engine.rules import SHORT_TEXT_BYTES, SHORT_TEXT_SPEED

MEL_FLOOR = float(np.log(1e-5))
SPACE = 0
_GAP = (2, 8)  # silent frames after an utterance; inference leaves about five
_BEFORE, _AFTER = (3, 6), (8, 12)  # silent frames around the new words: what a cross-fade of 0.15 s lays together
_SLOWEST = 1.6  # times as long as it was spoken; what upstream's rule for a few bytes gives beyond that is silence
_SLOPES = (0.45, 2.0)  # how much faster or slower re-timed speech may get
_SHORT_CHARS = SHORT_TEXT_BYTES + 1  # a little above upstream's bound, for more such rows to choose from
_BRIEF_CHARS = 24


@dataclass(frozen=True)
class RowPlan:
    """How rows are drawn.

    Attributes:
        frames_per_char: tempo of a share `usual` of the rows; the others have any of `tempo`.
        speeds: new words are slower or faster than their reference by up to this in a share `unlike` of the rows.
        short: share of the rows that end in a few characters at `SHORT_TEXT_SPEED`, as upstream speaks short texts.
        brief: share of the rows that end in one to four words at the tempo of the reference.
        drift_frames: width of the window in which rhythm stays as spoken.
        natural: share of the reference utterances whose rhythm stays as it is.
        drop: share of rows without text and reference, for guidance. free: share without reference.
        span: share with upstream's training mask, a random span.
    """

    frames_per_char: float = 5.0
    usual: float = 0.3
    tempo: tuple[float, float] = (4.2, 6.8)
    unlike: float = 0.2
    speeds: tuple[float, float] = (0.7, 1.4)
    short: float = 0.1
    brief: float = 0.25
    drift_frames: float = 30.0
    natural: float = 0.7
    drop: float = 0.1
    free: float = 0.12
    span: float = 0.05


@dataclass
class Batch:
    """Rows of one length.

    Attributes:
        mel: f32 [b, n, 100]. phones: i64 [b, n].
        ids: [b, c] padded with -1. n_chars: [b].
        masked: bool [b, n], frames to be generated; `cond` is the mel elsewhere.
        drop: bool [b], rows without text and reference, for guidance.
    """

    mel: Tensor
    phones: Tensor
    ids: Tensor
    n_chars: Tensor
    masked: Tensor
    drop: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def source_frames(n_frames: int, n_chars: int, words: np.ndarray, length: int, drift_frames: float) -> np.ndarray:
    """Where in an utterance each frame of its re-timed copy comes from.

    Args:
        n_frames: frames of the utterance. n_chars: its characters, which are to fill `length` frames evenly.
        words: [k, 2], frame and character at which each word begins.
        length: frames of the copy. drift_frames: drift slower than this is removed; infinite keeps the timing.

    Returns:
        f64 [length], positions in 0..n_frames.
    """
    from scipy.ndimage import gaussian_filter1d

    grid = np.arange(length + 1, dtype=np.float64)
    if np.isinf(drift_frames) or len(words) < 2:
        return grid[:-1] * (n_frames / length)
    spoken = np.concatenate([[0.0], words[1:, 0] * (length / n_frames), [length]])
    even = np.concatenate([[0.0], words[1:, 1] * (length / n_chars), [length]])
    drift = np.interp(grid, spoken, spoken - even)
    slow = gaussian_filter1d(drift, drift_frames, mode="constant") if drift_frames > 0 else drift
    steps = np.clip(np.diff(grid - slow), *_SLOPES)
    moved = np.concatenate([[0.0], np.cumsum(steps)])
    return np.interp(grid[:-1], moved * (length / moved[-1]), grid) * (n_frames / length)


def resample(mel: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rows of `mel` [n, 100] at fractional positions, by linear interpolation, f32."""
    low = np.clip(positions.astype(int), 0, len(mel) - 1)
    high = np.minimum(low + 1, len(mel) - 1)
    weight = (positions - low)[:, None].astype(np.float32)
    return mel[low].astype(np.float32) * (1 - weight) + mel[high].astype(np.float32) * weight


def fill(corpus: Corpus, group: list[int], n_chars: int, rng: random.Random, without: int = -1) -> list[int]:
    """Utterances of `group` with at most `n_chars` characters together, a space after each but the last."""
    chosen, left = [], n_chars + 1
    for i in rng.sample(group, len(group)):
        if i != without and len(corpus.ids[i]) + 1 <= left:
            chosen.append(i)
            left -= len(corpus.ids[i]) + 1
    return chosen


def pick(corpus: Corpus, n_chars: int, rng: random.Random) -> list[int]:
    """Utterances of one group with about `n_chars` characters together."""
    best: list[int] = []
    best_miss = 10**9
    for _ in range(40):
        chosen = fill(corpus, rng.choice(corpus.groups), n_chars, rng)
        left = n_chars + 1 - sum(len(corpus.ids[i]) + 1 for i in chosen)
        if chosen and left < best_miss:
            best, best_miss = chosen, left
        if best_miss <= max(1, n_chars // 60):
            break
    return best


@dataclass
class Row:
    """One row: mel f32 [n, 100], phones i64 [n], ids, frames to generate bool [n]."""

    mel: np.ndarray
    phones: np.ndarray
    ids: list[int]
    masked: np.ndarray

    def place(self, corpus: Corpus, i: int, at: np.ndarray, before: int, after: int, drift: float) -> None:
        """Put utterance `i` where its characters are due, `at` f64 [n_chars + 1], between so many silent frames."""
        start, end = round(at[0]), round(at[-1])
        # a word or two needs its time: in a sixth less, every eighth phone of such rows could not be told any more
        before, after = min(before, (end - start) // 40), min(after, (end - start) // 24)
        after = max(after, end - start - before - round(_SLOWEST * len(corpus.mel[i])))
        start += before
        length = max(1, end - start - after)
        char = np.interp(np.arange(start, start + length + 1), at, np.arange(len(at)))
        even = (char[:-1] - char[0]) * (length / (char[-1] - char[0]))  # of the copy whose characters are spread evenly
        copy = source_frames(len(corpus.mel[i]), len(corpus.ids[i]), corpus.words[i], length, drift)
        source = np.interp(even, np.arange(length), copy)
        nearest = np.minimum(np.round(source).astype(int), len(corpus.phones[i]) - 1)
        self.mel[start : start + length] = resample(corpus.mel[i], source)
        self.phones[start : start + length] = corpus.phones[i][nearest]


def choose(corpus: Corpus, n_frames: int, plan: RowPlan, rng: random.Random) -> tuple[list[int], int, float]:
    """Utterances of a row, how many of them are its reference, and how many frames a character of the new words gets
    for one of the reference."""
    usual = rng.random() < plan.usual
    n_chars = round(n_frames / (plan.frames_per_char if usual else rng.uniform(*plan.tempo)))
    draw = rng.random()
    if draw < plan.short + plan.brief:
        longest, slow = (_SHORT_CHARS, 1 / SHORT_TEXT_SPEED) if draw < plan.short else (_BRIEF_CHARS, 1.0)
        for group in (rng.choice(corpus.groups) for _ in range(20)):
            last = min(group, key=lambda i: (len(corpus.ids[i]) > longest, rng.random()))
            left = n_chars - round(len(corpus.ids[last]) * slow) - 1
            if len(corpus.ids[last]) <= longest and (before := fill(corpus, group, left, rng, without=last)):
                return [*before, last], len(before), slow
    chosen = pick(corpus, n_chars, rng)
    while not chosen:
        chosen = pick(corpus, n_frames // 4, rng)
    ends = np.cumsum([len(corpus.ids[i]) + 1 for i in chosen])
    n_ref = rng.choice([k + 1 for k, end in enumerate(ends[:-1]) if end < 0.7 * ends[-1]] or [min(1, len(chosen) - 1)])
    slow = math.exp(rng.uniform(*np.log(plan.speeds))) if rng.random() < plan.unlike else 1.0
    return chosen, n_ref, slow


def compose(corpus: Corpus, n_frames: int, plan: RowPlan, rng: random.Random) -> Row:
    """One row of `n_frames`."""
    chosen, n_ref, slow = choose(corpus, n_frames, plan, rng)
    masked, draw = np.ones(n_frames, bool), rng.random()
    if draw < plan.free + plan.span:
        n_ref = 0
    if plan.free <= draw < plan.free + plan.span:  # a span of 70..100 %
        length = int(n_frames * rng.uniform(0.7, 1.0))
        start = rng.randint(0, n_frames - length)
        masked[:start] = masked[start + length :] = False
    row = Row(np.full((n_frames, 100), MEL_FLOOR, np.float32), np.full(n_frames, SILENCE, np.int64), [], masked)
    ends = np.cumsum([len(corpus.ids[i]) + 1 for i in chosen])
    ends[-1] -= 1
    n_ref_chars, n_chars = int(ends[n_ref - 1]) if n_ref else 0, int(ends[-1])
    ref_frames = round(n_frames * n_ref_chars / (n_ref_chars + slow * (n_chars - n_ref_chars)))
    masked[:ref_frames] = False
    due = np.concatenate([
        np.linspace(0, ref_frames, n_ref_chars + 1)[:-1],
        spoken_frames(n_ref_chars, ref_frames, n_chars, n_frames),
    ])  # fmt: skip
    for k, i in enumerate(chosen):
        first, last = int(ends[k - 1]) if k else 0, int(ends[k])
        at = due[first : last + 1].copy()
        at[-1] = ref_frames if k == n_ref - 1 else at[-1]  # new words may begin after a pause
        drift = float("inf") if k < n_ref and rng.random() < plan.natural else plan.drift_frames
        before = rng.randint(*_BEFORE) if k == n_ref else 0
        row.place(corpus, i, at, before, rng.randint(*(_AFTER if k == len(chosen) - 1 else _GAP)), drift)
        row.ids += ([SPACE] if k else []) + corpus.ids[i].tolist()
    return row


def make_batch(corpus: Corpus, n_rows: int, n_frames: int, plan: RowPlan, rng: random.Random) -> Batch:
    """Compose `n_rows` rows of `n_frames`."""
    mels, phones, ids, masks, drops = [], [], [], [], []
    for _ in range(n_rows):
        gone = rng.random() < plan.drop
        row = compose(corpus, n_frames, replace(plan, free=1.0) if gone else plan, rng)
        mels.append(torch.from_numpy(row.mel))
        phones.append(torch.from_numpy(row.phones))
        ids.append(row.ids)
        drops.append(gone)
        masks.append(torch.from_numpy(row.masked))
    padded, n_chars = network.pad_tokens(ids)
    return Batch(torch.stack(mels), torch.stack(phones), padded, n_chars, torch.stack(masks), torch.tensor(drops))
