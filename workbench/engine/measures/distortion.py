"""Distance between two readings of one text."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import PAIR, measure
from workbench.engine.measures.subjects import Pair
from workbench.engine.signal.alignment import distortion
from workbench.engine.signal.spectra import DECIBELS_PER_NEPER


@measure(
    "mcd_decibels", "dB",
    "Mel-cepstral distortion (c1 to c13, without the level); time-aligned if the lengths differ.",
    of=(PAIR,), label="mel-cepstral distortion",
    misleads="as a mark of quality: it says how much two readings differ, not which is better.",
)  # fmt: skip
def mel_cepstral_distortion(pair: Pair) -> float:
    """Return the mean cepstral distance in dB. Raises AudioError if a mel is empty."""
    return pair.alignment.mcd_decibels if pair.alignment else distortion(pair.a, pair.b)


@measure(
    "log_spectral_distance_db", "dB",
    "Log-spectral distance: root mean square difference of the mels in dB, level apart, along the same time alignment.",
    of=(PAIR,), label="log-spectral distance", digits=1,
    misleads="as a mark of quality, and where one is noisier: quiet bands count as much as loud ones.",
)  # fmt: skip
def log_spectral_distance(pair: Pair) -> float:
    """Mean over the frames of the root mean square over the bands, in dB. Raises AudioError if one is empty."""
    difference = (pair.a_aligned - pair.b_aligned) * DECIBELS_PER_NEPER
    difference = difference - difference.mean()
    return float(np.sqrt(np.square(difference).mean(axis=1)).mean())
