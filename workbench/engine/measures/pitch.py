"""Fundamental frequency and voicing."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import PAIR, SOUND, measure
from workbench.engine.measures.subjects import Pair, Sound


@measure("median_f0_hz", "Hz", "Median fundamental frequency of the voiced frames (YIN).", of=(SOUND,),
         label="median F0", digits=0, misleads="where the voice creaks or whispers: octaves are mistaken.")  # fmt: skip
def median_f0(sound: Sound) -> float | None:
    """Return the median F0 in Hz; None if no frame is voiced."""
    voiced = sound.pitch.hz[np.isfinite(sound.pitch.hz)]
    return float(np.median(voiced)) if len(voiced) else None


@measure("voiced_percent", "%", "Frames with a fundamental frequency; the others are noise or silence.", of=(SOUND,),
         label="voiced", digits=0, misleads="where texts differ: some have more voiceless sounds.")  # fmt: skip
def voiced(sound: Sound) -> float | None:
    """Return the percentage of voiced frames; None without samples."""
    return 100 * float(np.mean(np.isfinite(sound.pitch.hz))) if len(sound.wave) else None


def _both(pair: Pair) -> tuple[np.ndarray, np.ndarray] | None:
    """F0 in Hz of a and of b at the frames that belong together, NaN where unvoiced; None without pitches."""
    if pair.pitches is None:
        return None
    a, b = (found.hz for found in pair.pitches)
    rows = pair.frames[(pair.frames[:, 0] < len(a)) & (pair.frames[:, 1] < len(b))]
    return a[rows[:, 0]], b[rows[:, 1]]


@measure("f0_error_cents", "cents", "Root mean square difference of F0 where both are voiced; a semitone is 100.",
         of=(PAIR,), label="F0 error", digits=0,
         misleads="where F0 is an octave off in either, and between voices of other pitch.")  # fmt: skip
def f0_error(pair: Pair) -> float | None:
    """Root mean square difference in cents; None if no frame is voiced in both."""
    both = _both(pair)
    if both is None:
        return None
    voiced_in_both = np.isfinite(both[0]) & np.isfinite(both[1])
    if not voiced_in_both.any():
        return None
    cents = 1200 * np.log2(both[1][voiced_in_both] / both[0][voiced_in_both])
    return float(np.sqrt(np.square(cents).mean()))


@measure("voicing_error_percent", "%", "Frames that are voiced in one of the two only.", of=(PAIR,),
         label="voicing error", digits=0, misleads="where the time alignment is poor: in other words.")  # fmt: skip
def voicing_error(pair: Pair) -> float | None:
    """Per cent of the frames; None without pitches."""
    both = _both(pair)
    if both is None or not len(both[0]):
        return None
    return 100 * float(np.mean(np.isfinite(both[0]) != np.isfinite(both[1])))
