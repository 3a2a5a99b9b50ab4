"""Loudness: mean and peak level, and samples beyond full scale."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import audio


@measure(
    "level_dbfs", "dBFS", "Root mean square of the samples; 0 is full scale.", of=(SOUND,), label="level", digits=1
)
def level(sound: Sound) -> float | None:
    """Return the level in dBFS; None without samples."""
    return audio.decibels(audio.rms(sound.wave)) if len(sound.wave) else None


@measure("peak_dbfs", "dBFS", "The loudest sample; 0 is full scale.", of=(SOUND,), label="peak", digits=1)
def peak(sound: Sound) -> float | None:
    """Return the peak in dBFS; None without samples."""
    return audio.decibels(float(np.abs(sound.wave).max())) if len(sound.wave) else None


@measure(
    "clipped_percent", "%", "Samples at or beyond full scale, which a 16-bit file clips.",
    of=(SOUND,), label="clipped", better="lower", digits=3,
)  # fmt: skip
def clipped(sound: Sound) -> float | None:
    """Return the percentage of samples that reach full scale; None without samples."""
    return 100 * float(np.mean(np.abs(sound.wave) >= 1)) if len(sound.wave) else None
