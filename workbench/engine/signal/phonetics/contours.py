"""Intensity over time, by its own code, and formants, by Praat where the optional package is there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from workbench.engine.errors import PackageError

INSTALL = "pip install praat-parselmouth"
N_FORMANTS = 4
QUIET_DECIBELS = 30.0  # below the loudest moment; Praat draws no formants there either
_KAISER = 2 * np.pi**2 + 0.5  # Praat's window of intensity: side lobes below -190 dB
_FLOOR_DBFS = -120.0
_BLOCK = 1024  # frames at once; bounds the memory


@dataclass(frozen=True, eq=False)
class Contour:
    """A value over time: ``values`` [frames] at ``seconds`` [frames]; NaN where there is none."""

    seconds: np.ndarray
    values: np.ndarray

    def at(self, second: float) -> float:
        """The value of the frame nearest to ``second``; NaN without frames."""
        return float(self.values[np.abs(self.seconds - second).argmin()]) if len(self.seconds) else float("nan")


@dataclass(frozen=True, eq=False)
class Formants:
    """Resonances of the vocal tract.

    Attributes:
        seconds: float64 [frames].
        hz: float64 [frames, 4], F1 to F4; NaN where there is none, and in quiet frames.
        bandwidths_hz: float64 [frames, 4].
    """

    seconds: np.ndarray
    hz: np.ndarray
    bandwidths_hz: np.ndarray


def intensity(wave: np.ndarray, sample_rate: int, *, lowest_hz: float = 75.0, hop_length: int = 256) -> Contour:
    """Level in dBFS over time, in a window long enough that the single pulses of the voice do not show.

    The window is Praat's: a Kaiser window over 6.4 periods of ``lowest_hz``. Praat's decibels are 94 dB higher, as if
    samples were sound pressure in pascals; a full-scale sine reads -3 dBFS here, 91 dB there.

    Args:
        wave: float32 [n_samples].
        sample_rate: Hz.
        lowest_hz: lowest pitch of the voice.
        hop_length: samples between values.
    """
    window = np.kaiser(2 * round(3.2 * sample_rate / lowest_hz) + 1, _KAISER)
    seconds = np.arange(len(wave) // hop_length + 1 if len(wave) else 0) * hop_length / sample_rate
    if not len(wave):
        return Contour(seconds, np.zeros(0))
    half, n_frames = len(window) // 2, len(seconds)
    padded = np.pad(np.asarray(wave, np.float64), (half, half + hop_length))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[::hop_length][:n_frames]
    inside = np.lib.stride_tricks.sliding_window_view(
        np.pad(np.ones(len(wave)), (half, half + hop_length)), len(window)
    )[::hop_length][:n_frames]
    power = np.empty(n_frames)
    for at in range(0, n_frames, _BLOCK):
        part, weight = frames[at : at + _BLOCK], inside[at : at + _BLOCK] @ window
        weight = np.maximum(weight, 1e-12)
        # the mean is taken off: an offset is no sound
        power[at : at + _BLOCK] = np.square(part) @ window / weight - np.square(part @ window / weight)
    level = np.maximum(power, 10 ** (_FLOOR_DBFS / 10))
    return Contour(seconds, 10 * np.log10(level))


def lacking() -> str:
    """What is missing for formants, with the line that installs it; "" if nothing is."""
    if find_spec("parselmouth") is not None:
        return ""
    return f"Formants are Praat's: run `{INSTALL}` (GPL; it stays an optional package)"


def formants(
    wave: np.ndarray, sample_rate: int, *, ceiling_hz: float = 5500.0, hop_length: int = 256, window_ms: float = 25.0
) -> Formants:
    """F1 to F4 by Praat's method of Burg: five resonances are looked for below ``ceiling_hz``.

    Args:
        wave: float32 [n_samples].
        sample_rate: Hz.
        ceiling_hz: 5500 for a woman, 5000 for a man, up to 8000 for a child.
        hop_length: samples between frames.
        window_ms: effective length of the window.

    Raises:
        PackageError: praat-parselmouth is not installed.
    """
    if said := lacking():
        raise PackageError(f"{said.split(': run')[0]}.", remedy=f"Run `{INSTALL}`.")
    import parselmouth

    if len(wave) < 2 * window_ms * sample_rate / 1000 + 1:  # Praat refuses less than one window
        return Formants(np.zeros(0), np.zeros((0, N_FORMANTS)), np.zeros((0, N_FORMANTS)))
    found = parselmouth.Sound(np.asarray(wave, np.float64), sample_rate).to_formant_burg(
        hop_length / sample_rate, 5, min(ceiling_hz, sample_rate / 2), window_ms / 1000, 50.0
    )
    seconds = np.asarray(found.xs())
    read = (found.get_value_at_time, found.get_bandwidth_at_time)
    hz, widths = (np.array([[get(n, t) for n in range(1, N_FORMANTS + 1)] for t in seconds]) for get in read)
    level = intensity(wave, sample_rate, hop_length=hop_length)
    heard = np.interp(seconds, level.seconds, level.values)
    quiet = heard < heard.max() - QUIET_DECIBELS
    hz[quiet], widths[quiet] = np.nan, np.nan
    return Formants(seconds, hz, widths)
