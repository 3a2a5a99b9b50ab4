"""How long and how loud a recording may be."""

from __future__ import annotations

import numpy as np

from workbench.engine import rules
from workbench.engine.errors import AudioError


def check_length(frames: int, rate: int, channels: int, title: str, max_seconds: float, *, more: bool = False) -> None:
    """Refuse ``frames`` that are too many. ``more``: they were counted so far, and there may be more."""
    words = "more than " if more else ""
    if frames > max_seconds * rate:
        raise AudioError(
            f"{title} is {words}{frames / rate:.0f} s long, more than the {max_seconds:.0f} s that are read.",
            remedy="Cut out the part you need.",
        )
    if frames * channels > rules.REFERENCE_MAX_VALUES:
        raise AudioError(
            f"{title} holds {words}{frames * channels:,} samples ({channels} channels at {rate:,} Hz), more than the "
            f"{rules.REFERENCE_MAX_VALUES:,} that are read.",
            remedy="Cut out the part you need, or save it as mono at 48,000 Hz.",
        )


def check_values(block: np.ndarray, title: str) -> None:
    """Refuse samples [frames, channels] that are not finite or far above full scale."""
    peak = float(np.abs(block).max())
    if not np.isfinite(peak):
        raise AudioError(
            f"{title} holds samples that are not numbers (NaN or infinity).", remedy="Export it again from its source."
        )
    if peak > rules.REFERENCE_MAX_PEAK:
        raise AudioError(
            f"{title} holds samples of {peak:g}, where 1 is full scale.", remedy="Normalise it, or save it as 16 bit."
        )
