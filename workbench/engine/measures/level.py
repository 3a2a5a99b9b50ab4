"""Loudness: mean and peak level, and samples beyond full scale."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import audio


@measure(
    "level_dbfs", "dBFS", "Root mean square of the samples; 0 is full scale.", of=(SOUND,), label="level", digits=1,
    misleads="where silences differ: they count as sound.",
)  # fmt: skip
def level(sound: Sound) -> float | None:
    """Return the level in dBFS; None without samples."""
    return audio.decibels(audio.rms(sound.wave)) if len(sound.wave) else None


@measure("peak_dbfs", "dBFS", "The loudest sample; 0 is full scale.", of=(SOUND,), label="peak", digits=1,
    misleads="as loudness: one click sets it.",
)  # fmt: skip
def peak(sound: Sound) -> float | None:
    """Return the peak in dBFS; None without samples."""
    return audio.decibels(float(np.abs(sound.wave).max())) if len(sound.wave) else None


@measure(
    "clipped_percent", "%", "Samples at or beyond full scale, which a 16-bit file clips.",
    of=(SOUND,), label="clipped", better="lower", digits=3,
    misleads="where a file was clipped before and lowered since: flat tops below full scale are not seen.",
)  # fmt: skip
def clipped(sound: Sound) -> float | None:
    """Return the percentage of samples that reach full scale; None without samples."""
    return 100 * float(np.mean(np.abs(sound.wave) >= 1)) if len(sound.wave) else None


@measure(
    "loudness_lufs", "LUFS", "Loudness as people hear it (ITU-R BS.1770, gated); speech is often published at -16.",
    of=(SOUND,), label="loudness", digits=1, needs=("pyloudnorm",),
    misleads="for sounds of less than three seconds.",
)  # fmt: skip
def loudness(sound: Sound) -> float | None:
    """Integrated loudness in LUFS; None for less than its window of 0.4 s."""
    import pyloudnorm

    rate = sound.config.target_sample_rate
    if len(sound.wave) <= 0.4 * rate:
        return None
    return float(pyloudnorm.Meter(rate).integrated_loudness(sound.wave.astype(np.float64)))


_NEAR_SECONDS, _AROUND_SECONDS = 0.002, 0.15


@measure(
    "join_click_db", "dB", "The sharpest edge at a join of chunks over the sharpest nearby; a click is 15 or more.",
    of=(SOUND,), label="click at a join", better="lower", digits=1,
    misleads="where a plosive lies at a join: it is a click that belongs there.",
)  # fmt: skip
def join_click(sound: Sound) -> float | None:
    """Of all joins, the largest second difference within it over the largest around it, in dB; None without joins."""
    edges = np.abs(np.diff(sound.wave.astype(np.float64), 2, prepend=0, append=0))
    rate = sound.config.target_sample_rate
    near, around = round(_NEAR_SECONDS * rate), round(_AROUND_SECONDS * rate)
    found = []
    for first in sound.joins:
        last = first + sound.fade
        for at in {first, last}:  # the fade begins and ends in an edge, if anywhere
            low, high = max(0, at - near), at + near
            outside = np.concatenate([edges[max(0, low - around) : low], edges[high : high + around]])
            if len(outside) and len(edges[low:high]):
                floor = max(float(outside.max()), 1e-6)
                found.append(20 * np.log10(max(float(edges[low:high].max()), 1e-9) / floor))
    return max(found, default=None)
