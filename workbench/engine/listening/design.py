"""Trials of a listener: every comparison equally often, each sound equally often at each place, in a random order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

ABX, PREFERENCE, SCORE = "abx", "preference", "score"
T = TypeVar("T")
KINDS = (ABX, PREFERENCE, SCORE)


@dataclass(frozen=True)
class Trial:
    """What one listener hears at a time.

    Attributes:
        number: from 0, in the order of the listener.
        item: index of the text.
        shown: index of the system at each place: two places, or one for a score.
        x: index of the system of X; None unless the test is ABX.
    """

    number: int
    item: int
    shown: tuple[int, ...]
    x: int | None = None


def trials(kind: str, n_systems: int, n_items: int, repeats: int, seed: str) -> list[Trial]:
    """Return the trials of one listener; equal arguments give equal trials.

    ``repeats`` times, every pair of systems (for a score: every system) is heard with every item. After any number of
    trials of a pair, its sides, and for ABX also the systems of X, differ by one trial at most in how often they
    occurred. One item follows itself only where no other is left.
    """
    rng = random.Random(f"{kind}:{seed}")
    if kind == SCORE:
        return _scores(rng, n_systems, n_items, repeats)
    pairs = list(itertools.combinations(range(n_systems), 2))
    places = {pair: _balanced(rng, repeats * n_items) for pair in pairs}
    found: list[Trial] = []
    for _ in range(repeats):
        heard = _spread(rng, list(itertools.product(pairs, range(n_items))), lambda one: one[1], _last_item(found))
        for pair, item in heard:
            is_turned, x = places[pair].pop(0)
            shown = pair[::-1] if is_turned else pair
            found.append(Trial(len(found), item, shown, pair[x] if kind == ABX else None))
    return found


def _scores(rng: random.Random, n_systems: int, n_items: int, repeats: int) -> list[Trial]:
    """Return rounds in which each item is heard once, and the systems as equally often as possible."""
    found: list[Trial] = []
    for _ in range(repeats):
        first = list(range(n_items))
        rng.shuffle(first)
        systems = rng.sample(range(n_systems), n_systems)
        for turn in range(n_systems):
            heard = [(item, systems[(place + turn) % n_systems]) for place, item in enumerate(first)]
            for item, system in _spread(rng, heard, lambda one: one[0], _last_item(found)):
                found.append(Trial(len(found), item, (system,)))
    return found


def _last_item(found: list[Trial]) -> int | None:
    return found[-1].item if found else None


def _balanced(rng: random.Random, n: int) -> list[tuple[bool, int]]:
    """Return ``n`` times (whether the sides are turned, which of the pair X is), both balanced after each of them."""
    made: list[tuple[bool, int]] = []
    while len(made) < n:
        halves = [[(False, 0), (True, 1)], [(False, 1), (True, 0)]]
        rng.shuffle(halves)
        for half in halves:
            rng.shuffle(half)
            made += half
    return made[:n]


def _spread(rng: random.Random, things: list[T], of: Callable[[T], int], last: int | None) -> list[T]:
    """Return ``things`` shuffled so that neighbours differ in ``of``, also from ``last``, as far as possible."""
    waiting = rng.sample(things, len(things))
    made: list[T] = []
    while waiting:
        counts: dict[int, int] = {}
        for one in waiting:
            counts[of(one)] = counts.get(of(one), 0) + 1
        allowed = [k for k, one in enumerate(waiting) if of(one) != last] or list(range(len(waiting)))
        most = max(counts[of(waiting[k])] for k in allowed)
        # what is left most often comes first where it could otherwise not be spread any more
        urgent = [k for k in allowed if counts[of(waiting[k])] == most and 2 * most > len(waiting)]
        made.append(waiting.pop((urgent or allowed)[0]))
        last = of(made[-1])
    return made
