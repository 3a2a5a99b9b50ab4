"""Distances between what was said and what should have been said. Pure functions on lists and arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def collapse(ids: Sequence[int], silence: int) -> list[int]:
    """Frame labels as a sequence of phones: repeats merged, silence left out."""
    found, previous = [], None
    for i in ids:
        if i != previous and i != silence:
            found.append(i)
        previous = i
    return found


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, diagonal + (x != y))
    return row[-1]


def align(heard: Sequence[int], truth: Sequence[int]) -> list[tuple[int | None, int | None]]:
    """Cheapest alignment as pairs (index in `heard`, index in `truth`); None where one side has nothing.

    A substitution costs a little more than a match and less than a deletion with an insertion, so that words stay
    whole.
    """
    n, m = len(heard), len(truth)
    cost = np.zeros((n + 1, m + 1))
    cost[:, 0], cost[0, :] = np.arange(n + 1), np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            swap = cost[i - 1, j - 1] + (heard[i - 1] != truth[j - 1]) * 1.2
            cost[i, j] = min(swap, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        if i and j and math.isclose(cost[i, j], cost[i - 1, j - 1] + (heard[i - 1] != truth[j - 1]) * 1.2):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and math.isclose(cost[i, j], cost[i - 1, j] + 1):
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


@dataclass(frozen=True)
class WordCount:
    """Words of a text, and how many of them were left out or said again."""

    words: int
    skipped: int
    repeated: int


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0
        for j, y in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], max(row[j + 1], row[j], diagonal + 1 if x == y else 0)
    return row[-1]


def count_words(heard: Sequence[int], words: Sequence[Sequence[int]]) -> WordCount:
    """Skipped and repeated words.

    A word is skipped when more than half of its phones have no counterpart in what was heard, and repeated when
    phones that belong nowhere, beside it, hold at least 70 % of its own (two or more).

    Args:
        heard: phones that were recognised. words: phones of each word of the text.
    """
    truth = [p for word in words for p in word]
    owner = [w for w, word in enumerate(words) for _ in word]
    missing = [0] * len(words)
    extra: dict[int, list[int]] = {}  # inserted phones by the word they follow (-1: before the first)
    last = -1
    for h, t in align(heard, truth):
        if t is not None:
            last = owner[t]
            missing[last] += h is None
        else:
            extra.setdefault(last, []).append(heard[h])  # type: ignore[index]
    skipped = sum(gone > len(word) / 2 for gone, word in zip(missing, words, strict=True) if word)
    repeated = 0
    for w, phones in extra.items():
        beside = [words[k] for k in (w, w + 1) if 0 <= k < len(words)]
        repeated += any(len(b) > 1 and _common(phones, b) >= 0.7 * len(b) for b in beside)
    return WordCount(sum(bool(word) for word in words), skipped, repeated)


def pitch_correlation(a: np.ndarray, b: np.ndarray, path: np.ndarray) -> float:
    """Correlation of the logarithm of two pitch tracks along a warping path, over frames voiced in both."""
    keep = (path[:, 0] < len(a)) & (path[:, 1] < len(b))
    x, y = np.log(a[path[keep, 0]]), np.log(b[path[keep, 1]])
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 10 or x[both].std() < 1e-6 or y[both].std() < 1e-6:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])


def voice_print(mel: np.ndarray) -> np.ndarray:
    """Long-term spectrum [bands] of the louder half of the frames, without its mean: a crude picture of a voice."""
    loud = mel[mel.mean(1) >= np.median(mel.mean(1))]
    profile = loud.mean(0)
    return profile - profile.mean()
