"""Which measures there are: each states name, unit and meaning once; whoever shows numbers iterates over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

RUN, CHUNK, SOUND, PAIR = "run", "chunk", "sound", "pair"
LEVELS = (RUN, CHUNK, SOUND, PAIR)
_BETTER = {"lower": " Lower is better.", "higher": " Higher is better.", "": ""}
_MEASURES: dict[str, Measure] = {}


@dataclass(frozen=True)
class Measure:
    """A number that says something about speech.

    Attributes:
        name: for programs: the column in CSV and JSON; it carries its unit (``first_audio_seconds``).
        unit: as people write it; "" for a ratio.
        about: what it says, in one or two sentences.
        of: what it is measured on. "run" and "chunk" take ``Times``, "sound" takes ``Sound``, "pair" takes ``Pair``.
        label: for people, without the unit.
        better: "lower", "higher", or "" where neither is.
        digits: decimals that mean something.
        needs: a package it cannot do without and that is not always there, or is slow to import; "" for none.
        function: the subject to a number; None where there is nothing to measure.
    """

    name: str
    unit: str
    about: str
    of: tuple[str, ...]
    label: str
    better: str
    digits: int
    needs: str
    function: Callable[[Any], float | None]

    @property
    def title(self) -> str:
        """The heading of its column."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def help(self) -> str:
        """What it says, and which way is better."""
        return self.about + _BETTER[self.better]

    def value(self, subject: Any) -> float | None:
        """The number for ``subject``; None if there is nothing to measure, or what it needs is not installed."""
        if self.needs and find_spec(self.needs) is None:
            return None
        found = self.function(subject)
        return float(found) if found is not None and math.isfinite(found) else None

    def shown(self, value: float | None) -> str:
        """``value`` for people, with its unit."""
        return "-" if value is None else f"{value:.{self.digits}f} {self.unit}".rstrip()


def measure(
    name: str,
    unit: str,
    about: str,
    *,
    of: Sequence[str],
    label: str = "",
    better: str = "",
    digits: int = 2,
    needs: str = "",
) -> Callable[[Callable[[Any], float | None]], Callable[[Any], float | None]]:
    """Decorator: register a function as a measure; the arguments are the attributes of ``Measure``.

    Raises:
        ValueError: the name is taken, or an argument is none of those that exist.
    """

    def register(function: Callable[[Any], float | None]) -> Callable[[Any], float | None]:
        if name in _MEASURES:
            raise ValueError(f"there are two measures {name!r}")
        if better not in _BETTER or not of or not set(of) <= set(LEVELS):
            raise ValueError(f"measure {name!r}: better={better!r}, of={of!r}")
        _MEASURES[name] = Measure(
            name, unit, about, tuple(of), label or name.replace("_", " "), better, digits, needs, function
        )
        return function

    return register


def every(*levels: str) -> list[Measure]:
    """All measures of ``levels``, of any where none is named, in the order in which they are shown."""
    wanted = set(levels or LEVELS)
    return [found for found in _MEASURES.values() if wanted & set(found.of)]


def get(name: str) -> Measure:
    """The measure ``name``. Raises KeyError for an unknown one."""
    return _MEASURES[name]


def values(level: str, subject: Any, *, light: bool = False) -> dict[str, float | None]:
    """Name to number of every measure of ``level`` on ``subject``; ``light`` leaves out those that need a package."""
    return {m.name: m.value(subject) for m in every(level) if not (light and m.needs)}


def known(level: str, subjects: Iterable[Any]) -> list[Measure]:
    """The measures of ``level`` that give a number for at least one of ``subjects``: the columns of their table."""
    of_all = list(subjects)
    return [m for m in every(level) if any(m.value(subject) is not None for subject in of_all)]


def row(level: str, subject: Any) -> dict[str, float | None]:
    """The same for a table: heading to rounded number."""
    found = {m.title: (m.value(subject), m.digits) for m in every(level)}
    return {title: None if value is None else round(value, digits) for title, (value, digits) in found.items()}
