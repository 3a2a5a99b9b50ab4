"""What was measured as CSV, with the unit of each column in its heading."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.engine.signal.phonetics.contours import Contour, Formants
from workbench.engine.signal.phonetics.fourier import Spectrum
from workbench.engine.signal.pitch import Pitch


def sheet(columns: Mapping[str, Sequence[object] | np.ndarray], digits: int = 4) -> str:
    """Return ``columns`` of equal length as CSV; NaN is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value, digits) for value in row])
    return text.getvalue()


def _cell(value: object, digits: int) -> object:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else round(float(value), digits)
    return value


def contours_sheet(pitch: Pitch, level: Contour, formants: Formants | None = None) -> str:
    """Return F0, intensity and, if they are given, formants with their bandwidths, on the frames of ``pitch``."""
    at = pitch.seconds
    columns: dict[str, np.ndarray] = {"time_s": at, "f0_hz": pitch.hz, "aperiodicity": pitch.aperiodicity}
    columns["intensity_dbfs"] = np.interp(at, level.seconds, level.values) if len(level.seconds) else at * np.nan
    if formants is not None and len(formants.seconds):
        places = np.interp(at, formants.seconds, np.arange(len(formants.seconds)))
        nearest = np.rint(places).astype(int)
        inside = (at >= formants.seconds[0] - 0.01) & (at <= formants.seconds[-1] + 0.01)
        for k in range(formants.hz.shape[1]):
            columns[f"f{k + 1}_hz"] = np.where(inside, formants.hz[nearest, k], np.nan)
            columns[f"b{k + 1}_hz"] = np.where(inside, formants.bandwidths_hz[nearest, k], np.nan)
    return sheet(columns, 4)


def spectrogram_sheet(decibels: np.ndarray, hz: np.ndarray, frames_per_second: float, unit: str = "db") -> str:
    """Return a spectrogram [frames, bands]: a row for each frame, a column for each band, named by its Hz."""
    columns: dict[str, np.ndarray] = {"time_s": np.arange(len(decibels)) / frames_per_second}
    columns |= {f"{unit}_at_{frequency:.1f}_hz": decibels[:, k] for k, frequency in enumerate(hz)}
    return sheet(columns, 3)


def spectra_sheet(found: Mapping[str, Spectrum]) -> str:
    """Return spectra over frequency, each in dBFS, on the frequencies of the first."""
    first = next(iter(found.values()))
    columns = {"frequency_hz": first.hz}
    for name, spectrum in found.items():
        columns[f"{name} (dBFS)"] = np.interp(first.hz, spectrum.hz, spectrum.decibels)
    return sheet(columns, 3)
