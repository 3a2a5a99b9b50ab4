"""The trials of a listener are balanced and can be repeated."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.listening import design
from workbench.engine.listening.design import ABX, KINDS, PREFERENCE, SCORE
from workbench.engine.listening.records import n_trials

_SHAPE = {
    "n_systems": st.integers(2, 5), "n_items": st.integers(1, 7), "repeats": st.integers(1, 4),
    "seed": st.text("0123456789abcdef:", min_size=1, max_size=12),
}  # fmt: skip


@given(kind=st.sampled_from((ABX, PREFERENCE)), **_SHAPE)
@settings(max_examples=60, deadline=None)
def test_pairs_sides_and_x_are_balanced_after_every_trial(
    kind: str, n_systems: int, n_items: int, repeats: int, seed: str
) -> None:
    made = design.trials(kind, n_systems, n_items, repeats, seed)
    assert len(made) == n_trials(kind, n_systems, n_items, repeats)
    assert [trial.number for trial in made] == list(range(len(made)))
    heard = Counter((frozenset(trial.shown), trial.item) for trial in made)
    pairs = [frozenset(pair) for pair in itertools.combinations(range(n_systems), 2)]
    assert heard == {(pair, item): repeats for pair in pairs for item in range(n_items)}
    left: Counter[tuple[int, ...]] = Counter()
    of_x: Counter[tuple[frozenset[int], int | None]] = Counter()
    for trial in made:
        left[trial.shown] += 1
        assert abs(left[trial.shown] - left[trial.shown[::-1]]) <= 1
        if kind == ABX:
            pair = frozenset(trial.shown)
            assert trial.x in pair
            of_x[pair, trial.x] += 1
            assert len({min(of_x[pair, k] for k in pair), max(of_x[pair, k] for k in pair)}) <= 2
            assert abs(of_x[pair, min(pair)] - of_x[pair, max(pair)]) <= 1
        else:
            assert trial.x is None


@given(**_SHAPE)
@settings(max_examples=60, deadline=None)
def test_every_sound_is_scored_equally_often_and_systems_alternate(
    n_systems: int, n_items: int, repeats: int, seed: str
) -> None:
    made = design.trials(SCORE, n_systems, n_items, repeats, seed)
    heard = Counter((trial.shown, trial.item) for trial in made)
    assert heard == {((system,), item): repeats for system in range(n_systems) for item in range(n_items)}
    for first in range(0, len(made), n_items):  # a turn: every text once, the systems as equally often as possible
        turn = made[first : first + n_items]
        assert len({trial.item for trial in turn}) == n_items
        counts = Counter(trial.shown for trial in turn)
        assert max(counts.values()) <= -(-n_items // n_systems)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_one_order_and_another_seed_another(kind: str) -> None:
    one, again, other = (design.trials(kind, 3, 5, 2, seed) for seed in ("1:a", "1:a", "1:b"))
    assert one == again != other


@given(kind=st.sampled_from(KINDS), n_items=st.integers(3, 6), seed=st.text(max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_text_is_not_heard_twice_in_a_row(kind: str, n_items: int, seed: str) -> None:
    made = design.trials(kind, 2, n_items, 2, seed)
    assert all(a.item != b.item for a, b in itertools.pairwise(made))


def test_x_does_not_follow_from_the_sides() -> None:
    """Over many listeners each of the four kinds of trial comes first about equally often."""
    first = Counter()
    for listener in range(800):
        trial = design.trials(ABX, 2, 1, 1, f"0:{listener}")[0]
        first[trial.shown, trial.x] += 1
    assert len(first) == 4 and all(140 < n < 260 for n in first.values())
