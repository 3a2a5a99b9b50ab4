"""Results of a listening test: how often, how sure. Exact binomial tests, and bootstrap over listeners."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.engine.evaluation import statistics
from workbench.engine.evaluation.statistics import FEWEST, LEVEL, Interval
from workbench.engine.listening.answers import Answer
from workbench.engine.listening.design import ABX, SCORE
from workbench.engine.listening.records import ListeningTest

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Compared:
    """Two systems.

    Attributes:
        a, b: their names.
        n_a, n_b: how often each was preferred; for ABX right and wrong answers.
        n_same: answers of no difference.
        n_listeners: listeners who answered.
        share: of a among the answers that chose one; for ABX the share of right answers. None without answers.
        p_value: exact binomial test against chance: two-sided for a preference, one-sided for ABX.
        exact: Clopper-Pearson interval of the share.
        bootstrap: interval of the share over listeners (over answers if there is one listener), no difference
            counted half for each. None for fewer than two of them.
    """

    a: str
    b: str
    n_a: int
    n_b: int
    n_same: int
    n_listeners: int
    share: float | None
    p_value: float | None
    exact: Interval | None
    bootstrap: Interval | None

    @property
    def is_clear(self) -> bool:
        """Whether chance alone would rarely give this."""
        return self.p_value is not None and self.p_value < SIGNIFICANT


@dataclass(frozen=True)
class Mean:
    """The mean score of a system, or the mean difference of two.

    Attributes:
        name: of the system, or "B minus A".
        n: answers, or pairs of answers.
        n_drawn: listeners, or answers if there is one listener: what the interval is drawn from.
        mean: of the scores, or of the differences.
        bootstrap: interval of the mean; None for fewer than two to draw from.
    """

    name: str
    n: int
    n_drawn: int
    mean: float
    bootstrap: Interval | None

    @property
    def is_clear(self) -> bool:
        """Whether a difference is seen: the interval excludes 0, and was drawn from at least ``FEWEST``."""
        low, high = self.bootstrap or (0.0, 0.0)
        return self.n_drawn >= FEWEST and not low <= 0 <= high


def _mean_of(name: str, values: Sequence[float], listeners: Sequence[str]) -> Mean:
    n_listeners = len(set(listeners))
    n_drawn = n_listeners if n_listeners > 1 else len(values)
    return Mean(name, len(values), n_drawn, float(np.mean(values)), interval(values, listeners))


def compare(test: ListeningTest, answers: Sequence[Answer]) -> list[Compared]:
    """Return one comparison for each pair of systems of an ABX or preference test."""
    found = []
    for a, b in itertools.combinations(test.systems, 2):
        own = [one for one in answers if set(one.shown) == {a, b}]
        first = [one.chosen == one.x if test.kind == ABX else one.chosen == a for one in own]
        same = [one.chosen is None for one in own]
        n_a, n_same = sum(first), sum(same)
        found.append(_compared(test.kind, a, b, own, first, same, n_a, len(own) - n_a - n_same, n_same))
    return found


def _compared(
    kind: str,
    a: str,
    b: str,
    own: Sequence[Answer],
    first: list[bool],
    same: list[bool],
    n_a: int,
    n_b: int,
    n_same: int,
) -> Compared:
    from scipy.stats import binomtest

    listeners = [one.key for one in own]
    if not n_a + n_b:
        return Compared(a, b, n_a, n_b, n_same, len(set(listeners)), None, None, None, None)
    tested = binomtest(n_a, n_a + n_b, 0.5, alternative="greater" if kind == ABX else "two-sided")
    two_sided = binomtest(n_a, n_a + n_b).proportion_ci(LEVEL, method="exact")
    halves = [1.0 if won else 0.5 if tied else 0.0 for won, tied in zip(first, same, strict=True)]
    return Compared(
        a, b, n_a, n_b, n_same, len(set(listeners)), n_a / (n_a + n_b), float(tested.pvalue),
        (float(two_sided.low), float(two_sided.high)), interval(halves, listeners),
    )  # fmt: skip


def verdict(kind: str, one: Compared, shown: Callable[[str], str] = str) -> str:
    """Return in one sentence what the answers say about a pair; ``shown`` writes the name of a system."""
    a, b = shown(one.a), shown(one.b)
    if one.p_value is None:
        return f"{a} and {b}: nobody has chosen one yet."
    if kind == ABX:
        if one.is_clear:
            return f"{a} and {b} are heard apart (p = {one.p_value:.4f})."
        return f"{a} and {b}: no difference heard so far (p = {one.p_value:.2f})."
    if one.is_clear:
        return f"{a} and {b}: {a if one.n_a > one.n_b else b} is preferred (p = {one.p_value:.4f})."
    return f"{a} and {b}: no preference seen so far (p = {one.p_value:.2f})."


def seen(one: Mean) -> str:
    """Return whether a difference of scores is seen, in words."""
    return ("yes" if one.is_clear else "no") if one.n_drawn >= FEWEST else f"fewer than {FEWEST} listeners"


def counts(test: ListeningTest, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return what a test is, and how much of it was answered, ready for JSON: the first line of ``document``."""
    of_listeners = Counter(one.key for one in answers)
    return {
        "name": test.name, "kind": test.kind, "systems": list(test.systems), "texts": list(test.texts),
        "levels": test.levels, "made_at": test.made_at, "n_trials": test.n_trials, "n_answers": len(answers),
        "n_listeners": len(of_listeners), "n_finished": sum(n == test.n_trials for n in of_listeners.values()),
    }  # fmt: skip


def document(test: ListeningTest, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the results of a test, ready for JSON.

    Returns:
        name, kind, systems, texts, levels, made_at, n_trials of a listener, n_answers, n_listeners, n_finished; pairs:
        fields of ``Compared`` and the verdict, for ABX and preference; by_listener: for ABX; means and differences:
        fields of ``Mean``, for scores; and whether a difference is seen.
    """
    is_score = test.kind == SCORE
    return counts(test, answers) | {
        "pairs": [] if is_score else [asdict(one) | {"verdict": verdict(test.kind, one)}
                                      for one in compare(test, answers)],
        "by_listener": by_listener(test, answers) if test.kind == ABX else [],
        "means": [asdict(one) for one in means(test, answers)] if is_score else [],
        "differences": [asdict(one) | {"seen": seen(one)} for one in differences(test, answers)],
    }  # fmt: skip


def by_listener(test: ListeningTest, answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return one row per listener of an ABX test: right answers and the exact one-sided p-value."""
    from scipy.stats import binomtest

    rows = []
    for key in dict.fromkeys(one.key for one in answers):
        own = [one for one in answers if one.key == key]
        n_right = sum(one.chosen == one.x for one in own)
        p_value = float(binomtest(n_right, len(own), 0.5, alternative="greater").pvalue)
        rows.append({"listener": own[-1].listener or key, "right": n_right, "answers": len(own), "p": p_value})
    return rows


def means(test: ListeningTest, answers: Sequence[Answer]) -> list[Mean]:
    """Return the mean score of every system of a score test that has answers."""
    found = []
    for name in test.systems:
        own = [one for one in answers if one.shown == (name,)]
        if own:
            found.append(_mean_of(name, [float(one.choice) for one in own], [one.key for one in own]))
    return found


def differences(test: ListeningTest, answers: Sequence[Answer]) -> list[Mean]:
    """Return the mean difference of scores of each pair of systems, over the texts that a listener scored for both."""
    scores: dict[tuple[str, int, str], list[int]] = {}
    for one in answers if test.kind == SCORE else ():
        scores.setdefault((one.key, one.item, one.shown[0]), []).append(one.choice)
    found = []
    for a, b in itertools.combinations(test.systems, 2):
        both = [
            (key, float(np.mean(own) - np.mean(scores[key, item, a])))
            for (key, item, system), own in scores.items()
            if system == b and (key, item, a) in scores
        ]
        if both:
            found.append(_mean_of(f"{b} minus {a}", [change for _, change in both], [key for key, _ in both]))
    return found


def interval(values: Sequence[float], listeners: Iterable[Hashable]) -> Interval | None:
    """Return the bootstrap interval of the mean of ``values``, drawn by listener (``statistics.interval``).

    Answers of one listener depend on each other, so listeners are drawn, each with all answers. Of one listener the
    answers are drawn. None for fewer than two to draw from.
    """
    groups: dict[Hashable, list[float]] = {}
    for value, listener in zip(values, listeners, strict=True):
        groups.setdefault(listener, []).append(value)
    drawn = list(groups.values()) if len(groups) > 1 else [[value] for value in values]
    if not drawn:
        return None
    return statistics.interval(_pooled_mean, [sum(own) for own in drawn], [len(own) for own in drawn])


def _pooled_mean(sums: np.ndarray, counts: np.ndarray, *, axis: int = -1) -> np.ndarray:
    found: np.ndarray = np.sum(sums, axis=axis) / np.sum(counts, axis=axis)
    return found
