"""How far two readings of one text are apart."""

from __future__ import annotations

from workbench.engine.measures.registry import PAIR, measure
from workbench.engine.measures.subjects import Pair
from workbench.engine.signal.alignment import distortion


@measure(
    "mcd_decibels", "dB",
    "Mel-cepstral distortion (c1 to c13, level apart), along the time alignment where the lengths differ.",
    of=(PAIR,), label="mel-cepstral distortion",
)  # fmt: skip
def mel_cepstral_distortion(pair: Pair) -> float:
    """Mean cepstral distance in dB. Raises AudioError if one of the two is empty."""
    return pair.alignment.mcd_decibels if pair.alignment else distortion(pair.a, pair.b)
