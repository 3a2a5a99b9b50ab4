"""Runs side by side: which settings differ, and how far their mels are apart. Arrays and plain values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine import measures
from workbench.engine.signal.spectra import difference, mel_decibels

if TYPE_CHECKING:
    from workbench.engine.runs.store import RunSummary
    from workbench.engine.speech.results import Run

AUDIBLE_DECIBELS = 80.0  # below the loudest; what lies deeper does not count as different


def differing(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """One row for everything that was asked for and is not the same in all ``runs``: its name, then a value per run."""
    asked = [
        {"model": r.model, "voice": r.voice, "device": r.device, "dtype": r.dtype}
        | r.load
        | {"text": r.text}
        | r.settings
        for r in runs
    ]
    names = list(dict.fromkeys(name for one in asked for name in one))
    rows = [{"setting": name} | {r.id: one.get(name) for r, one in zip(runs, asked, strict=True)} for name in names]
    return [row for row in rows if len({repr(row[r.id]) for r in runs}) > 1]


def stage_seconds(run: Run) -> dict[str, float]:
    """Seconds of each stage of the run, loading apart, and what none of them explains as "other"."""
    return dict(measures.Times.of_run(run.as_dict()).stages)


@dataclass(frozen=True, eq=False)
class MelComparison:
    """Two mels on one time axis.

    Attributes:
        a, b: dB [frames, n_mels], on a's frames.
        change: b - a, dB, where either is audible.
        measured: name to value of every measure of a pair.
        warped: b was time-aligned to a, because their lengths differ.
    """

    a: np.ndarray
    b: np.ndarray
    change: np.ndarray
    measured: dict[str, float | None]
    warped: bool


def compare_mels(a: np.ndarray, b: np.ndarray) -> MelComparison:
    """Compare natural-log mels [frames, n_mels]; time-aligned where their lengths differ (``measures.Pair``).

    Raises:
        AudioError: one of them is empty.
    """
    pair = measures.Pair(a, b)
    found = pair.alignment
    measured = measures.values(measures.PAIR, pair)
    in_db_a, in_db_b = mel_decibels(a), mel_decibels(b)
    floor = max(in_db_a.max(), in_db_b.max()) - AUDIBLE_DECIBELS
    on_a = in_db_b if found is None else found.b_on_a(in_db_b)
    return MelComparison(in_db_a, on_a, difference(in_db_a, on_a, floor), measured, found is not None)
