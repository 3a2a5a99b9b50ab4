"""Distance between two readings of one text."""

from __future__ import annotations

from workbench.engine.measures.registry import PAIR, measure
from workbench.engine.measures.subjects import Pair
from workbench.engine.signal.alignment import distortion


@measure(
    "mcd_decibels", "dB",
    "Mel-cepstral distortion (c1 to c13, without the level); time-aligned if the lengths differ.",
    of=(PAIR,), label="mel-cepstral distortion",
)  # fmt: skip
def mel_cepstral_distortion(pair: Pair) -> float:
    """Return the mean cepstral distance in dB. Raises AudioError if a mel is empty."""
    return pair.alignment.mcd_decibels if pair.alignment else distortion(pair.a, pair.b)
