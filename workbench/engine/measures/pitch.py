"""Fundamental frequency and voicing."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound


@measure("median_f0_hz", "Hz", "Median fundamental frequency of the voiced frames (YIN).", of=(SOUND,),
         label="median F0", digits=0)  # fmt: skip
def median_f0(sound: Sound) -> float | None:
    """Return the median F0 in Hz; None if no frame is voiced."""
    voiced = sound.pitch.hz[np.isfinite(sound.pitch.hz)]
    return float(np.median(voiced)) if len(voiced) else None


@measure("voiced_percent", "%", "Frames with a fundamental frequency; the others are noise or silence.", of=(SOUND,),
         label="voiced", digits=0)  # fmt: skip
def voiced(sound: Sound) -> float | None:
    """Return the percentage of voiced frames; None without samples."""
    return 100 * float(np.mean(np.isfinite(sound.pitch.hz))) if len(sound.wave) else None
