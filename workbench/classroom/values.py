"""What the guided path asks about a run and measures in it: the words that are common to all stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.engine.speech.results import ChunkResult, Run

if TYPE_CHECKING:  # it imports torch
    from workbench.engine.speech.speaker import Speaker

EngineOf = Callable[[str], "Speaker"]


@dataclass(frozen=True)
class Question:
    """What is asked, and what may be answered.

    Attributes:
        text: the question, with the numbers of the run in it.
        unit: of the answer; "" for a count.
        low, high, step: bounds and grain of the answer; an integer ``step`` asks for whole numbers.
        near: an answer this far from the measurement is still a good one, in ``unit``.
    """

    text: str
    unit: str
    low: float
    high: float
    step: float
    near: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured.

    Attributes:
        value: in the unit of the question.
        why: three sentences that explain it, with the numbers in them.
        evidence: rows of a table, name and value.
        pictures: (title, mel in dB [frames, n_mels]) to look at.
        sounds: (title, float32 [n_samples] at the run's rate) to listen to.
    """

    value: float
    why: tuple[str, str, str]
    evidence: tuple[tuple[str, str], ...] = ()
    pictures: tuple[tuple[str, np.ndarray], ...] = ()
    sounds: tuple[tuple[str, np.ndarray], ...] = ()


def first(run: Run) -> ChunkResult:
    """The chunk that is looked at: the first one, whose states are kept if those of any are."""
    return next((chunk for chunk in run.chunks if chunk.trajectory is not None), run.chunks[0])


def unfit(run: Run, *, needs_states: bool = False) -> str:
    """Return why a stop cannot measure ``run``, as a sentence; "" if it can."""
    if run.is_long:
        return "It is a long run, whose chunks are kept apart."
    if run.is_remade or run.n_reused:
        return "Some of its chunks come from an earlier run, so its times are not those of its making."
    if needs_states and first(run).trajectory is None:
        return "It did not keep the states of its ODE."
    return ""
