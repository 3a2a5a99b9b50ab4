"""Registry of measures. Each states its name, unit and meaning once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

RUN, CHUNK, SOUND, PAIR = "run", "chunk", "sound", "pair"
LEVELS = (RUN, CHUNK, SOUND, PAIR)
INSTANT, SECONDS = "instant", "seconds"
COSTS = {  # of a measure, in words
    INSTANT: "Costs next to nothing.",
    SECONDS: "Costs a model in memory and about a second a chunk: made on request, kept with the run.",
}
PROJECTS = {
    "faster_whisper": "faster-whisper",
    "whisper_normalizer": "whisper-normalizer",
    "resemblyzer": "Resemblyzer",
}
"""Package to the name under which pip installs it, if that is another."""

_BETTER = {"lower": " Lower is better.", "higher": " Higher is better.", "": ""}
_MEASURES: dict[str, Measure] = {}


@dataclass(frozen=True)
class Measure:
    """A measure of speech: one number for a subject.

    Attributes:
        name: for programs: the column in CSV and JSON. It contains the unit (``first_audio_seconds``).
        unit: as people write it; "" for a ratio.
        about: its meaning, in one or two sentences.
        of: levels it applies to. "run" and "chunk" take ``Times``, "sound" takes ``Sound``, "pair" takes ``Pair``.
        label: for people, without the unit.
        better: "lower", "higher", or "" if neither is better.
        digits: decimals to show.
        needs: required packages that may be missing or are slow to import.
        cost: a key of ``COSTS``. What costs seconds is computed on request only (``runs.measured``).
        misleads: when the number means less, or something else, than it seems to.
        weight: of a chunk in the mean over a run; None: its seconds.
        function: takes the subject; returns the number, or None if there is nothing to measure.
    """

    name: str
    unit: str
    about: str
    of: tuple[str, ...]
    label: str
    better: str
    digits: int
    needs: tuple[str, ...]
    cost: str
    misleads: str
    weight: Callable[[Any], float] | None
    function: Callable[[Any], float | None]

    @property
    def title(self) -> str:
        """Heading of its column."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def help(self) -> str:
        """Its meaning, which direction is better, and when it misleads."""
        return f"{self.about}{_BETTER[self.better]} It misleads {self.misleads}"

    @property
    def lacking(self) -> str:
        """Missing packages with the line that installs them; "" if none is missing."""
        missing = [name for name in self.needs if find_spec(name) is None]
        how = f"pip install {' '.join(PROJECTS.get(name, name) for name in missing)}"
        return f"{self.label} needs {', '.join(missing)}: run `{how}`" if missing else ""

    def value(self, subject: Any) -> float | None:
        """Return the number for ``subject``; None if there is nothing to measure or a required package is missing."""
        if any(find_spec(name) is None for name in self.needs):
            return None
        found = self.function(subject)
        return float(found) if found is not None and math.isfinite(found) else None

    def shown(self, value: float | None) -> str:
        """Return ``value`` as text with its unit; "-" for None."""
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
    needs: Sequence[str] = (),
    cost: str = INSTANT,
    misleads: str,
    weight: Callable[[Any], float] | None = None,
) -> Callable[[Callable[[Any], float | None]], Callable[[Any], float | None]]:
    """Return a decorator that registers a function as a measure; the arguments are the attributes of ``Measure``.

    Raises:
        ValueError: the name is taken, or ``better`` or ``of`` is invalid.
    """

    def register(function: Callable[[Any], float | None]) -> Callable[[Any], float | None]:
        if name in _MEASURES:
            raise ValueError(f"there are two measures {name!r}")
        if better not in _BETTER or cost not in COSTS or not of or not set(of) <= set(LEVELS):
            raise ValueError(f"measure {name!r}: better={better!r}, cost={cost!r}, of={of!r}")
        _MEASURES[name] = Measure(
            name, unit, about, tuple(of), label or name.replace("_", " "), better, digits, tuple(needs), cost, misleads,
            weight, function,
        )  # fmt: skip
        return function

    return register


def every(*levels: str, cost: str = INSTANT) -> list[Measure]:
    """Return the measures of ``levels`` (of all levels if none is given) of this cost, in the order of display."""
    wanted = set(levels or LEVELS)
    return [found for found in _MEASURES.values() if wanted & set(found.of) and found.cost == cost]


def of_every_cost(*levels: str) -> list[Measure]:
    """Return the measures of ``levels`` (of all levels if none is given), those that cost next to nothing first."""
    return [found for cost in COSTS for found in every(*levels, cost=cost)]


def get(name: str) -> Measure:
    """Return the measure ``name``. Raises KeyError if there is none."""
    return _MEASURES[name]


def values(level: str, subject: Any, *, light: bool = False) -> dict[str, float | None]:
    """Return name to number of every measure of ``level``; ``light`` leaves out measures that need a package."""
    return {m.name: m.value(subject) for m in every(level) if not (light and m.needs)}


def known(level: str, subjects: Iterable[Any]) -> list[Measure]:
    """Return the measures of ``level`` that give a number for at least one of ``subjects``."""
    of_all = list(subjects)
    return [m for m in every(level) if any(m.value(subject) is not None for subject in of_all)]


def row(level: str, subject: Any) -> dict[str, float | None]:
    """Return heading to rounded number of every measure of ``level``, for a table."""
    found = {m.title: (m.value(subject), m.digits) for m in every(level)}
    return {title: None if value is None else round(value, digits) for title, (value, digits) in found.items()}
