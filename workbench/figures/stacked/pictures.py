"""Spectrograms as PNG bytes, without axes; made in milliseconds."""

from __future__ import annotations

import numpy as np

from workbench.engine.signal import spectra
from workbench.figures.base import COLOUR_MAPS, colour_scale, diverging, png

MAX_COLUMNS = 1400  # about the pixels of a wide screen; more columns are slow to draw and not visible


def mel_png(
    decibels: np.ndarray,
    *,
    top: float | None = None,
    dynamic_range: float = 80.0,
    colour_map: str = COLOUR_MAPS[0],
    max_columns: int = MAX_COLUMNS,
    row_pixels: int = 2,
) -> bytes:
    """PNG bytes of a spectrogram in dB [frames, bands]."""
    pooled, _ = spectra.pool(decibels, max_columns)
    top = float(pooled.max()) if top is None else top
    return png(pooled, top - dynamic_range, top, colour_scale(colour_map), row_pixels=row_pixels)


def difference_png(
    decibels: np.ndarray,
    *,
    limit: float = 20.0,
    dark: bool = False,
    max_columns: int = MAX_COLUMNS,
    row_pixels: int = 2,
) -> bytes:
    """PNG bytes of a signed difference in dB [frames, bands]; the colours end at plus and minus ``limit``."""
    pooled, _ = spectra.pool(decibels, max_columns, signed=True)
    return png(pooled, -limit, limit, diverging(dark), row_pixels=row_pixels)
