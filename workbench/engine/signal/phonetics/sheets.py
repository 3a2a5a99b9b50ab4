"""What was measured as CSV, with the unit of each column in its heading."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.engine.signal.phonetics.contours import Contour, Formants
from workbench.engine.signal.phonetics.fourier import Spectrum
from workbench.engine.signal.pitch import Pitch


def sheet(columns: Mapping[str, Sequence[object] | np.ndarray], digits: int = 4, *, headed: bool = True) -> str:
    """Return ``columns`` of equal length as CSV; NaN is an empty cell. Without headings unless ``headed``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if headed:
        writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value, digits) for value in row])
    return text.getvalue()


def _cell(value: object, digits: int) -> object:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else round(float(value), digits)
    return value


def contours_sheet(
    pitch: Pitch, level: Contour, formants: Formants | None = None, *, starts_at: float = 0.0, headed: bool = True
) -> str:
    """Return F0, intensity and, if they are given, formants with their bandwidths, on the frames of ``pitch``.

    Args:
        pitch, level, formants: of one sound.
        starts_at: second at which the sound begins.
        headed: with a line of headings.
    """
    at = pitch.seconds
    columns: dict[str, np.ndarray] = {"time_s": at + starts_at, "f0_hz": pitch.hz, "aperiodicity": pitch.aperiodicity}
    columns["intensity_dbfs"] = np.interp(at, level.seconds, level.values) if len(level.seconds) else at * np.nan
    if formants is not None:
        columns |= _formant_columns(formants, at)
    return sheet(columns, 4, headed=headed)


def _formant_columns(formants: Formants, at: np.ndarray) -> dict[str, np.ndarray]:
    """Formants and bandwidths of the frames nearest to ``at``; all NaN for a sound too short to have any."""
    times = formants.seconds
    nearest = np.rint(np.interp(at, times, np.arange(len(times)))).astype(int) if len(times) else np.zeros(0, int)
    inside = (at >= times[0] - 0.01) & (at <= times[-1] + 0.01) if len(times) else np.zeros(len(at), bool)
    columns = {}
    for k in range(formants.hz.shape[1]):
        for letter, values in (("f", formants.hz), ("b", formants.bandwidths_hz)):
            found = np.full(len(at), np.nan)
            found[inside] = values[nearest[inside], k] if inside.any() else np.nan
            columns[f"{letter}{k + 1}_hz"] = found
    return columns


def spectrogram_sheet(
    decibels: np.ndarray, hz: np.ndarray, frames_per_second: float, unit: str = "db", *, starts_at: float = 0.0,
    headed: bool = True,
) -> str:  # fmt: skip
    """Return a spectrogram [frames, bands]: a row for each frame, a column for each band, named by its Hz.

    ``starts_at`` is the second of the first frame; without headings unless ``headed``.
    """
    columns: dict[str, np.ndarray] = {"time_s": np.arange(len(decibels)) / frames_per_second + starts_at}
    columns |= {f"{unit}_at_{frequency:.1f}_hz": decibels[:, k] for k, frequency in enumerate(hz)}
    return sheet(columns, 3, headed=headed)


def spectra_sheet(found: Mapping[str, Spectrum]) -> str:
    """Return spectra over frequency, each in dBFS, on the frequencies of the first."""
    first = next(iter(found.values()))
    columns = {"frequency_hz": first.hz}
    for name, spectrum in found.items():
        columns[f"{name} (dBFS)"] = np.interp(first.hz, spectrum.hz, spectrum.decibels)
    return sheet(columns, 3)
