"""Runs side by side: which settings differ, and how far their mels are apart. Arrays and plain values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine.signal.alignment import align, distortion
from workbench.engine.signal.spectra import difference, mel_decibels
from workbench.engine.timing import total

if TYPE_CHECKING:
    from workbench.engine.runs.store import RunSummary
    from workbench.engine.speech.results import Run

AUDIBLE_DECIBELS = 80.0  # below the loudest; what lies deeper does not count as different
STAGES = ("reference_mel", "text", "ode", "vocoder", "cross_fade")


def differing(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """One row for everything that was asked for and is not the same in all ``runs``: its name, then a value per run."""
    asked = [
        {"model": r.model, "voice": r.voice, "device": r.device, "dtype": r.dtype, "text": r.text} | r.settings
        for r in runs
    ]
    names = list(dict.fromkeys(name for one in asked for name in one))
    rows = [{"setting": name} | {r.id: one.get(name) for r, one in zip(runs, asked, strict=True)} for name in names]
    return [row for row in rows if len({repr(row[r.id]) for r in runs}) > 1]


def stage_seconds(run: Run) -> dict[str, float]:
    """Seconds of each stage of the run, loading apart, and what none of them explains as "other"."""
    spans = [s for s in run.spans if s.start_seconds >= 0]
    return {stage: total(spans, stage) for stage in STAGES if any(s.name == stage for s in spans)}


@dataclass(frozen=True, eq=False)
class MelComparison:
    """Two mels on one time axis.

    Attributes:
        a, b: dB [frames, n_mels], on a's frames.
        change: b - a, dB, where either is audible.
        mcd_decibels: mel-cepstral distortion; along the alignment if there was one.
        warped: b was time-aligned to a, because their lengths differ.
    """

    a: np.ndarray
    b: np.ndarray
    change: np.ndarray
    mcd_decibels: float
    warped: bool


def compare_mels(a: np.ndarray, b: np.ndarray) -> MelComparison:
    """Compare natural-log mels [frames, n_mels]; time-aligned (``alignment.align``) where their lengths differ.

    Equal lengths are compared frame by frame: runs of one plan, with another seed or number of steps, share their time.
    """
    in_db_a, in_db_b = mel_decibels(a), mel_decibels(b)
    floor = max(in_db_a.max(), in_db_b.max()) - AUDIBLE_DECIBELS
    if len(a) == len(b):
        return MelComparison(in_db_a, in_db_b, difference(in_db_a, in_db_b, floor), distortion(a, b), False)
    found = align(a, b)
    warped = found.b_on_a(in_db_b)
    return MelComparison(in_db_a, warped, difference(in_db_a, warped, floor), found.mcd_decibels, True)
