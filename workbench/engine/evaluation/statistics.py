"""Means, medians and differences over utterances, with bootstrap confidence intervals.

WER and CER are pooled: the sum of errors over the sum of words (or characters), as in published results. Their
bootstrap draws utterances too. Other measures are means over utterances.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

LEVEL = 0.95  # of the intervals
N_RESAMPLES = 5_000
SEED = 0  # the same numbers give the same interval
# With fewer, even differences that all point one way come by chance more than once in twenty (2 * 0.5**5 > 0.05).
FEWEST = 6
_LARGE = 2_000  # beyond it the percentile interval is as good, and the jackknife of BCa slow
_BLOCK_NUMBERS = 4_000_000  # resampled at a time

Statistic = Callable[..., Any]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """One measure over the utterances that have it.

    Attributes:
        n: utterances.
        mean: over utterances, or of all words or characters together if ``pooled``.
        interval: of the mean; None for one utterance.
        median: over utterances.
        median_interval: of the median; None for one utterance.
        pooled: whether ``mean`` divides the sum of errors by the sum of words or characters.
    """

    n: int
    mean: float
    interval: Interval | None
    median: float
    median_interval: Interval | None
    pooled: bool

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """A measure of B less that of A, over the utterances that both have.

    Attributes:
        n: common utterances. n_differing: those of them with another value.
        a, b: the means (pooled if ``pooled``).
        difference: ``b - a``.
        interval: of the difference; None if there are fewer than ``FEWEST`` utterances.
        pooled: as in ``Summary``.
        better: "a" or "b" if the difference is seen, and the measure has a better direction; else "".
        seen: whether the interval excludes 0 and at least ``FEWEST`` utterances differ.
    """

    n: int
    n_differing: int
    a: float
    b: float
    difference: float
    interval: Interval | None
    pooled: bool
    better: str
    seen: bool

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        return asdict(self)


def _mean(values: np.ndarray, *, axis: int = -1) -> np.ndarray:
    found: np.ndarray = np.mean(values, axis=axis)
    return found


def _pooled(values: np.ndarray, weights: np.ndarray, *, axis: int = -1) -> np.ndarray:
    found: np.ndarray = np.sum(values * weights, axis=axis) / np.sum(weights, axis=axis)
    return found


def _median(values: np.ndarray, *, axis: int = -1) -> np.ndarray:
    found: np.ndarray = np.median(values, axis=axis)
    return found


def _pooled_difference(
    a: np.ndarray, b: np.ndarray, weights_a: np.ndarray, weights_b: np.ndarray, *, axis: int = -1
) -> np.ndarray:
    found: np.ndarray = _pooled(b, weights_b, axis=axis) - _pooled(a, weights_a, axis=axis)
    return found


def interval(statistic: Statistic, *samples: Sequence[float] | np.ndarray, bca: bool = True) -> Interval | None:
    """Return the bootstrap interval of ``statistic`` over the rows of ``samples``, which are drawn together.

    Bias-corrected and accelerated (Efron, 1987); the percentile interval where that does not exist.

    Args:
        statistic: takes the samples and ``axis``.
        samples: equally long. bca: False takes the percentile interval, as for medians.

    Returns:
        Low and high end; None for fewer than two rows.
    """
    arrays = [np.asarray(sample, float) for sample in samples]
    n = len(arrays[0])
    if n < 2:
        return None
    if all(np.ptp(array) == 0 for array in arrays):
        value = float(statistic(*arrays))
        return value, value
    from scipy.stats import bootstrap

    def drawn(method: Literal["BCa", "percentile"]) -> Interval:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of degenerate data, which give NaN
            found = bootstrap(
                arrays, statistic, paired=len(arrays) > 1, vectorized=True, confidence_level=LEVEL, method=method,
                n_resamples=N_RESAMPLES, batch=max(1, _BLOCK_NUMBERS // n), rng=np.random.default_rng(SEED),
            ).confidence_interval  # fmt: skip
        return float(found.low), float(found.high)

    ends = drawn("BCa") if bca and n <= _LARGE else (np.nan, np.nan)
    return ends if np.isfinite(ends).all() else drawn("percentile")


def summarise(values: Sequence[float], weights: Sequence[float] | None = None) -> Summary | None:
    """Return the summary of a measure; None without values.

    Args:
        values: one per utterance.
        weights: words or characters of each utterance, to pool; None for a mean over utterances.
    """
    if not len(values):
        return None
    v = np.asarray(values, float)
    w = None if weights is None else np.asarray(weights, float)
    if w is not None and not w.sum():
        w = None
    mean = float(_mean(v)) if w is None else float(_pooled(v, w))
    spread = interval(_mean, v) if w is None else interval(_pooled, v, w)
    middle = interval(_median, v, bca=False)
    return Summary(len(v), mean, spread, float(_median(v)), middle, w is not None)


def difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    better: str = "",
    weights: tuple[Mapping[str, float], Mapping[str, float]] | None = None,
) -> Difference | None:
    """Return the paired difference of a measure; None without common utterances.

    Args:
        a, b: id of each utterance to its value.
        better: "lower", "higher" or "", as in ``Measure``.
        weights: of a and b, id to words or characters, to pool.
    """
    ids = [name for name in a if name in b]
    if not ids:
        return None
    va, vb = (np.array([values[name] for name in ids], float) for values in (a, b))
    n_differing = int(np.sum(va != vb))
    if weights is not None:
        wa, wb = (np.array([group.get(name, 0.0) for name in ids], float) for group in weights)
        weights = weights if wa.sum() and wb.sum() else None
    if weights is not None:
        means = float(_pooled(va, wa)), float(_pooled(vb, wb))
        spread = interval(_pooled_difference, va, vb, wa, wb)
    else:
        means = float(_mean(va)), float(_mean(vb))
        spread = interval(_mean, vb - va)
    if len(ids) < FEWEST:
        spread = None
    seen = spread is not None and n_differing >= FEWEST and not spread[0] <= 0 <= spread[1]
    delta = means[1] - means[0]
    winner = ("b" if (delta < 0) == (better == "lower") else "a") if seen and better else ""
    return Difference(len(ids), n_differing, *means, delta, spread, weights is not None, winner, seen)
