"""Training rows put together as inference does it: a reference, then new words, in one voice and at one tempo.

Upstream spreads the characters evenly over the frames. Speech does not keep step with that: the difference adds up
over a sentence to half a second and more, and finding each frame's character is what a small model learns last. So the
rows are re-timed: rhythm inside a few words stays as it was spoken, slow drift against the even spread is taken out.
Every row of a batch is filled to exactly one length, so that no padding mask is needed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from workbench.demo_voice import network
from workbench.demo_voice.corpus import SILENCE, Corpus

MEL_FLOOR = float(np.log(1e-5))
SPACE = 0
_GAP = (2, 8)  # silent frames after an utterance; inference leaves about five
_SLOPES = (0.45, 2.0)  # how much faster or slower re-timed speech may get


@dataclass(frozen=True)
class RowPlan:
    """How rows are drawn.

    Attributes:
        frames_per_char: of the rows near which upstream's spread is even (it deals out whole frames, so at 5.4 the
            first 60 % of the characters get five and the others six).
        other_share: share of the rows with any tempo of `other_tempo` instead.
        drift_frames: width of the window in which rhythm stays as spoken.
        drop: share of rows without text and reference, for guidance. free: share without reference.
    """

    frames_per_char: float = 5.0
    other_share: float = 0.5
    other_tempo: tuple[float, float] = (4.3, 7.0)
    drift_frames: float = 30.0
    drop: float = 0.1
    free: float = 0.12


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


def pick(corpus: Corpus, n_chars: int, rng: random.Random) -> list[int]:
    """Utterances of one group with about `n_chars` characters together, a space after each but the last."""
    best: list[int] = []
    best_miss = 10**9
    for _ in range(40):
        group = rng.choice(corpus.groups)
        chosen, left = [], n_chars + 1
        for i in rng.sample(group, len(group)):
            if len(corpus.ids[i]) + 1 <= left:
                chosen.append(i)
                left -= len(corpus.ids[i]) + 1
        if chosen and left < best_miss:
            best, best_miss = chosen, left
        if best_miss <= max(1, n_chars // 60):
            break
    return best


def compose(
    corpus: Corpus, n_frames: int, plan: RowPlan, rng: random.Random
) -> tuple[np.ndarray, np.ndarray, list[int], list[int]]:
    """One row: mel [n, 100], phones [n], ids, and the frames at which its utterances but the first begin."""
    other = rng.random() < plan.other_share
    tempo = rng.uniform(*plan.other_tempo) if other else plan.frames_per_char
    chosen = pick(corpus, round(n_frames / tempo), rng)
    while not chosen:
        chosen = pick(corpus, n_frames // 4, rng)
    n_chars = [len(corpus.ids[i]) + 1 for i in chosen]
    n_chars[-1] -= 1
    bounds = np.round(np.cumsum([0, *n_chars]) * (n_frames / sum(n_chars))).astype(int)
    mel = np.full((n_frames, 100), MEL_FLOOR, np.float32)
    phones = np.full(n_frames, SILENCE, np.int64)
    ids: list[int] = []
    for k, i in enumerate(chosen):
        start, length = bounds[k], bounds[k + 1] - bounds[k]
        gap = min(rng.randint(*_GAP), length // 4)
        drift = float("inf") if k == 0 and rng.random() < 0.4 else plan.drift_frames  # references are as they are
        speech = source_frames(len(corpus.mel[i]), len(corpus.ids[i]), corpus.words[i], length - gap, drift)
        mel[start : start + length - gap] = resample(corpus.mel[i], speech)
        nearest = np.minimum(np.round(speech).astype(int), len(corpus.phones[i]) - 1)
        phones[start : start + length - gap] = corpus.phones[i][nearest]
        ids += ([SPACE] if k else []) + corpus.ids[i].tolist()
    return mel, phones, ids, bounds[1:-1].tolist()


def draw_mask(n_frames: int, starts: list[int], free: float, rng: random.Random) -> np.ndarray:
    """Frames to generate: all after a whole reference; sometimes a random span, or everything (`free`)."""
    masked = np.ones(n_frames, bool)
    draw = rng.random()
    if draw < free or not starts:
        return masked
    if draw < free + 0.1:  # upstream's training mask: a span of 70..100 %
        length = int(n_frames * rng.uniform(0.7, 1.0))
        start = rng.randint(0, n_frames - length)
        masked[:start] = masked[start + length :] = False
        return masked
    masked[: rng.choice([s for s in starts if s < 0.7 * n_frames] or starts[:1])] = False
    return masked


def make_batch(corpus: Corpus, n_rows: int, n_frames: int, plan: RowPlan, rng: random.Random) -> Batch:
    """Compose `n_rows` rows of `n_frames`."""
    mels, phones, ids, masks, drops = [], [], [], [], []
    for _ in range(n_rows):
        mel, phone, row, starts = compose(corpus, n_frames, plan, rng)
        gone = rng.random() < plan.drop
        mels.append(torch.from_numpy(mel))
        phones.append(torch.from_numpy(phone))
        ids.append(row)
        drops.append(gone)
        masks.append(torch.from_numpy(draw_mask(n_frames, starts, 1.0 if gone else plan.free, rng)))
    padded, n_chars = network.pad_tokens(ids)
    return Batch(torch.stack(mels), torch.stack(phones), padded, n_chars, torch.stack(masks), torch.tensor(drops))
