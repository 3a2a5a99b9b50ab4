"""Intervals cover as often as they say, and differences are seen where there are some and not where there are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.evaluation import statistics
from workbench.engine.evaluation.statistics import FEWEST, difference, interval, summarise

DRAWS = {
    "normal": (lambda draw, n: draw.normal(3, 1, n), 3.0),
    "skewed": (lambda draw, n: draw.exponential(2, n), 2.0),
    "mostly zero": (lambda draw, n: draw.binomial(1, 0.3, n).astype(float), 0.3),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "N_RESAMPLES", 400)


@pytest.mark.parametrize("kind", DRAWS)
def test_an_interval_covers_the_truth_about_as_often_as_it_says(quick: None, kind: str) -> None:
    draw, (sample, truth) = np.random.default_rng(1), DRAWS[kind]
    found = [summarise(sample(draw, 40)) for _ in range(150)]
    covered = np.mean([low <= truth <= high for low, high in (s.interval for s in found if s)])
    assert 0.87 <= covered <= 1.0


def test_a_pooled_interval_covers_the_rate(quick: None) -> None:
    draw, covered = np.random.default_rng(2), []
    for _ in range(150):
        words = draw.integers(2, 30, 40)
        found = summarise(100 * draw.binomial(words, 0.1) / words, words)
        assert found and found.interval
        covered.append(found.interval[0] <= 10 <= found.interval[1])
    assert 0.87 <= np.mean(covered) <= 1.0


def test_no_difference_is_seen_where_there_is_none(quick: None) -> None:
    draw = np.random.default_rng(3)

    def seen() -> bool:
        base = draw.normal(0, 5, 25)
        a, b = (dict(enumerate(base + draw.normal(0, 1, 25))) for _ in range(2))
        return difference(a, b, "lower").seen  # type: ignore[union-attr, arg-type]

    assert np.mean([seen() for _ in range(150)]) <= 0.12


@pytest.mark.parametrize(("better", "winner"), [("lower", "b"), ("higher", "a"), ("", "")])
def test_a_difference_is_seen_where_pairs_show_it_although_means_overlap(better: str, winner: str) -> None:
    draw = np.random.default_rng(4)
    base = draw.normal(0, 50, 20)
    a = {str(k): float(v) for k, v in enumerate(base)}
    b = {key: value - 1 - draw.random() for key, value in a.items()}
    found = difference(a, b, better)
    assert found and found.seen and found.better == winner
    assert found.interval and found.interval[0] < found.difference < found.interval[1] < 0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from(["lower", "higher", ""]))
def test_nothing_differs_from_itself(values: list[float], better: str) -> None:
    own = {str(k): v for k, v in enumerate(values)}
    weights = dict.fromkeys(own, 3.0)
    for pooled in (None, (weights, weights)):
        found = difference(own, own, better, pooled)
        assert found and found.difference == 0 and not found.seen and found.better == "" and found.n_differing == 0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_a_summary_is_repeatable_and_lies_within_its_interval(values: list[float], order: object) -> None:
    found = summarise(values)
    assert found == summarise(values) and found is not None
    for middle, ends in ((found.median, found.median_interval),):
        assert ends and ends[0] - 1e-9 <= middle <= ends[1] + 1e-9
    assert found.interval and min(values) - 1e-6 <= found.interval[0] <= found.interval[1] <= max(values) + 1e-6


def test_wer_is_the_sum_of_errors_over_the_sum_of_words() -> None:
    found = summarise([100.0, 0.0], [1, 9])  # one word wrong of one, none of nine
    assert found and found.mean == pytest.approx(10) and found.pooled and found.median == 50
    a, b = {"x": 100.0, "y": 0.0}, {"x": 0.0, "y": 0.0}
    weights = {"x": 1.0, "y": 9.0}
    pair = difference(a, b, "lower", (weights, weights))
    assert pair and (pair.a, pair.b) == (pytest.approx(10), 0) and pair.pooled and pair.interval is None


@pytest.mark.parametrize("n_differing", range(9))
def test_a_few_differing_utterances_among_many_equal_ones_show_nothing(n_differing: int) -> None:
    a = {str(k): 0.0 for k in range(40)}
    b = {key: 5.0 if k < n_differing else 0.0 for k, key in enumerate(a)}
    found = difference(a, b, "lower")
    assert found and found.n_differing == n_differing
    assert found.seen == (n_differing >= FEWEST)


@pytest.mark.parametrize("n", range(1, FEWEST + 3))
def test_too_few_pairs_show_nothing(n: int) -> None:
    a = {str(k): float(k) for k in range(n)}
    b = {key: value - 10 for key, value in a.items()}
    found = difference(a, b, "lower")
    assert found and found.seen == (n >= FEWEST) and (found.interval is None) == (n < FEWEST)


def test_only_common_utterances_are_paired() -> None:
    found = difference({"x": 1.0, "y": 2.0}, {"y": 4.0, "z": 9.0})
    assert found and (found.n, found.a, found.b) == (1, 2.0, 4.0)
    assert difference({"x": 1.0}, {"y": 1.0}) is None and summarise([]) is None


def test_one_value_and_equal_values() -> None:
    one, same = summarise([3.0]), summarise([2.0] * 5)
    assert one and one.mean == one.median == 3 and one.interval is None
    assert same and same.interval == same.median_interval == (2.0, 2.0)


def test_many_utterances_take_little_time_and_memory() -> None:
    values = np.random.default_rng(5).normal(0, 1, 20_000)

    def mean(sample: np.ndarray, *, axis: int = -1) -> np.ndarray:
        assert sample.size <= statistics._BLOCK_NUMBERS
        return np.asarray(np.mean(sample, axis=axis))

    kept: Callable[..., object] = mean
    ends = interval(kept, values)
    assert ends and ends[0] == pytest.approx(values.mean() - 1.96 / np.sqrt(20_000), abs=0.001)
