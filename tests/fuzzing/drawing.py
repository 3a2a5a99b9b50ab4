"""Random choices of a case: the same key gives the same case, independent of earlier cases."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "workbench-fuzz-hypothesis")


class _Steady(HypothesisProvider):
    """Hypothesis without the constants of the project's own modules: an edit there would change every case."""

    _local_constants = Constants()


AVAILABLE_PROVIDERS["steady"] = f"{__name__}.{_Steady.__name__}"
_ONE_DRAW = settings(
    max_examples=2,  # the first is always the simplest value
    backend="steady",
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Source:
    """Random choices of one case, and notes on what they led to.

    Attributes:
        random: for positions and choices, uniform.
    """

    def __init__(self, seed: int, kind: str, case: int, notes: Path | None = None) -> None:
        digest = hashlib.sha256(f"{seed}/{kind}/{case}".encode()).digest()
        self.random = Random(int.from_bytes(digest, "big"))
        self._notes = notes

    def draw(self, strategy: SearchStrategy[T]) -> T:
        """A value of a Hypothesis strategy, with Hypothesis's liking for edges."""
        drawn: list[T] = []

        @seed(self.random.getrandbits(64))
        @_ONE_DRAW
        @given(strategy)
        def take(value: T) -> None:
            drawn.append(value)

        take()
        return drawn[-1]

    def note(self, text: str) -> None:
        """Say what is being done; a finding shows it, also where the process died."""
        if self._notes is not None:
            with self._notes.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(" ".join(text.split())[:200] + "\n")
