"""Statistics of listening tests, beside those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from workbench.engine.listening import results
from workbench.engine.listening.answers import Answer
from workbench.engine.listening.records import ListeningTest


def of(kind: str, systems: tuple[str, ...] = ("a", "b")) -> ListeningTest:
    return ListeningTest("t", kind, "", systems, ("One.", "Two."), (systems, systems), 1, 0, "", "")


def said(key: str, choice: int, shown: tuple[str, ...] = ("a", "b"), x: str | None = None, item: int = 0) -> Answer:
    return Answer("", key, 0, item, shown, x, choice, "0", 1.0, "2026-11-27T00:00:00+00:00")


@pytest.mark.parametrize(("n_right", "n_wrong"), [(9, 1), (5, 5), (0, 3), (1, 0), (40, 20)])
def test_abx_is_the_exact_test_of_scipy(n_right: int, n_wrong: int) -> None:
    found = [said("k", 1, x="a")] * n_right + [said("k", 2, x="a")] * n_wrong
    (one,) = results.compare(of("abx"), found)
    expected = stats.binomtest(n_right, n_right + n_wrong, 0.5, alternative="greater")
    assert one.p_value == pytest.approx(expected.pvalue) and (one.n_a, one.n_b) == (n_right, n_wrong)
    two_sided = stats.binomtest(n_right, n_right + n_wrong).proportion_ci(0.95, "exact")
    assert one.exact == pytest.approx(tuple(two_sided)) and one.share == n_right / (n_right + n_wrong)
    assert one.is_clear == (expected.pvalue < 0.05)


def test_a_preference_leaves_no_difference_out_of_the_test_and_halves_it_in_the_interval() -> None:
    found = [said("k", 1)] * 6 + [said("l", 2, ("b", "a"))] * 2 + [said("k", 2)] * 1 + [said("l", 0)] * 4
    (one,) = results.compare(of("preference"), found)
    assert (one.n_a, one.n_b, one.n_same, one.n_listeners) == (8, 1, 4, 2)
    assert one.p_value == pytest.approx(stats.binomtest(8, 9).pvalue) and one.share == pytest.approx(8 / 9)
    assert one.bootstrap is not None and one.bootstrap[0] <= (8 + 2) / 13 <= one.bootstrap[1]


def test_only_no_difference_has_no_p_value() -> None:
    (one,) = results.compare(of("preference"), [said("k", 0)] * 3)
    assert (one.p_value, one.share, one.exact, one.bootstrap, one.n_same) == (None, None, None, None, 3)
    assert results.compare(of("preference"), [])[0].n_listeners == 0


def test_every_pair_has_its_own_result() -> None:
    test = of("preference", ("a", "b", "c"))
    found = results.compare(test, [said("k", 1, ("c", "a")), said("k", 2, ("b", "c"))])
    assert [(one.a, one.b, one.n_a, one.n_b) for one in found] == [
        ("a", "b", 0, 0), ("a", "c", 0, 1), ("b", "c", 0, 1),
    ]  # fmt: skip


def test_right_answers_of_each_listener() -> None:
    found = [said("k", 1, x="a")] * 4 + [said("l", 1, x="b")] * 2
    rows = results.by_listener(of("abx"), found)
    assert [(row["listener"], row["right"], row["answers"]) for row in rows] == [("k", 4, 4), ("l", 0, 2)]
    assert rows[0]["p"] == pytest.approx(1 / 16) and rows[1]["p"] == 1


def test_the_interval_of_one_listener_is_scipys_bootstrap() -> None:
    values = np.random.default_rng(3).integers(1, 6, 40).astype(float)
    found = results.interval(values, ["k"] * 40)
    expected = stats.bootstrap((values,), np.mean, n_resamples=5_000, method="percentile", rng=1).confidence_interval
    assert found == pytest.approx(tuple(expected), abs=0.06)
    assert found == results.interval(values, ["k"] * 40)


def test_listeners_are_drawn_with_all_their_answers() -> None:
    """Forty equal answers of each of five listeners say no more than one of each."""
    means = [1.0, 2.0, 3.0, 4.0, 5.0]
    once = results.interval(means, "abcde")
    often = results.interval([m for m in means for _ in range(40)], [k for k in "abcde" for _ in range(40)])
    assert once == pytest.approx(often)
    naive = results.interval([m for m in means for _ in range(40)], ["k"] * 200)
    assert once is not None and naive is not None and once[1] - once[0] > 3 * (naive[1] - naive[0])


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        values = rng.normal(0.5, 1, 60)
        low, high = results.interval(values, ["k"] * 60) or (0.0, 0.0)
        held += low <= 0.5 <= high
    assert 50 <= held <= 60


def test_too_few_answers_have_no_interval() -> None:
    assert results.interval([], []) is None and results.interval([1.0], ["k"]) is None


def test_scores_and_their_paired_differences() -> None:
    test = of("score")
    given = [("k", 0, 2, 4), ("k", 1, 3, 4), ("l", 0, 1, 3), ("l", 1, 4, 5)]
    found = [said(key, s, (name,), item=item) for key, item, a, b in given for name, s in (("a", a), ("b", b))]
    found.append(said("m", 5, ("b",)))  # no counterpart: in the mean, not in the difference
    a, b = results.means(test, found)
    assert (a.mean, a.n, b.mean, b.n) == (2.5, 4, pytest.approx(21 / 5), 5)
    (change,) = results.differences(test, found)
    assert (change.name, change.mean, change.n) == ("b minus a", 1.5, 4)
    assert change.bootstrap == (1.5, 1.5) and not change.is_clear  # each 1.5 in the mean, but two listeners
    more = [said(f"{k}", s, (name,)) for k in range(6) for name, s in (("a", 2), ("b", 3 + k % 2))]
    (clear,) = results.differences(test, more)
    assert clear.is_clear and clear.n_drawn == 6
    assert results.means(test, []) == [] and results.differences(test, []) == []
