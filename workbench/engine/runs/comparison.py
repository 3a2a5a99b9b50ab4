"""Compare runs: settings that differ, and the difference of two mels. Returns arrays and plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine import measures
from workbench.engine.signal.pitch import Pitch
from workbench.engine.signal.spectra import difference, mel_decibels

if TYPE_CHECKING:
    from workbench.engine.runs.store import RunSummary
    from workbench.engine.speech.results import Run

AUDIBLE_DECIBELS = 80.0  # below the loudest value; differences of quieter values do not count


def differing(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return one row per setting that differs among ``runs``: "setting" is its name, each run id its value.

    Model, voice, device, number format and text count as settings. A setting that a run does not have is None.
    """
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
    """Return the seconds of each stage of the run without loading; "other" is the rest of the total."""
    return dict(measures.Times.of_run(run.as_dict()).stages)


@dataclass(frozen=True, eq=False)
class MelComparison:
    """Two mels on one time axis.

    Attributes:
        a, b: in dB [frames, n_mels], on the frames of a.
        change: b - a in dB, 0 where neither is audible.
        measured: name to value of every measure of a pair.
        warped: whether b was time-aligned to a, because their lengths differ.
    """

    a: np.ndarray
    b: np.ndarray
    change: np.ndarray
    measured: dict[str, float | None]
    warped: bool


def compare_mels(a: np.ndarray, b: np.ndarray, pitches: tuple[Pitch, Pitch] | None = None) -> MelComparison:
    """Compare natural-log mels [frames, n_mels]; align b to a in time if their lengths differ (``measures.Pair``).

    Args:
        pitches: fundamental frequency of both, on the frames of the mels, for the measures of pitch.

    Raises:
        AudioError: a mel is empty.
    """
    pair = measures.Pair(a, b, pitches)
    found = pair.alignment
    measured = measures.values(measures.PAIR, pair)
    in_db_a, in_db_b = mel_decibels(a), mel_decibels(b)
    floor = max(in_db_a.max(), in_db_b.max()) - AUDIBLE_DECIBELS
    on_a = in_db_b if found is None else found.b_on_a(in_db_b)
    return MelComparison(in_db_a, on_a, difference(in_db_a, on_a, floor), measured, found is not None)
