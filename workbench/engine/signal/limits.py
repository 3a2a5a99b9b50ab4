"""Check the length and the level of a recording."""

from __future__ import annotations

import numpy as np

from workbench.engine import rules
from workbench.engine.errors import AudioError


def check_length(frames: int, rate: int, channels: int, title: str, max_seconds: float, *, more: bool = False) -> None:
    """Raise AudioError for too many ``frames``; ``more`` says that the count is not complete."""
    words = "more than " if more else ""
    if frames > max_seconds * rate:
        raise AudioError(
            f"{title} is {words}{frames / rate:.0f} s long; at most {max_seconds:.0f} s are allowed.",
            remedy="Cut out the part you need.",
        )
    if frames * channels > rules.REFERENCE_MAX_VALUES:
        raise AudioError(
            f"{title} holds {words}{frames * channels:,} samples ({channels} channels at {rate:,} Hz); at most "
            f"{rules.REFERENCE_MAX_VALUES:,} are allowed.",
            remedy="Cut out the part you need, or save it as mono at 48,000 Hz.",
        )


def check_values(block: np.ndarray, title: str) -> None:
    """Raise AudioError for samples [frames, channels] that are not finite or far above full scale."""
    peak = float(np.abs(block).max())
    if not np.isfinite(peak):
        raise AudioError(
            f"{title} holds samples that are not numbers (NaN or infinity).", remedy="Export it again from its source."
        )
    if peak > rules.REFERENCE_MAX_PEAK:
        raise AudioError(
            f"{title} holds samples of {peak:g}, where 1 is full scale.", remedy="Normalise it, or save it as 16 bit."
        )
