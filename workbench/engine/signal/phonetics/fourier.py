"""Spectrograms with a chosen window, the spectrum at one moment, and the mean spectrum of a span.

Levels are in dBFS: a sine of full scale reads 0 dB whatever the window, so that figures of two windows compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from workbench.engine.errors import AudioError, SettingsError

WINDOWS = {"Gauss": ("gaussian", None), "Hann": "hann", "Hamming": "hamming", "Blackman": "blackman", "none": "boxcar"}
WINDOW_MS = (3.0, 120.0)
OVERLAPS = (0.0, 0.98)
FLOOR_DBFS = -140.0
EMPHASIS_HZ = 50.0  # above it, pre-emphasis adds 6 dB an octave; Praat has the same
_EMPHASIS_UNCHANGED_HZ = 1000.0  # the level here stays, so that the colours stay in range
_LEAST_ROWS = 256  # a short window is padded with zeros, for a smooth picture
_MAX_FRAMES, _MAX_CELLS = 12_000, 12_000_000
_GAUSS_WIDTHS = 6.0  # a Gaussian window ends at three standard deviations
_SLICE_PADDING = 4
_BLOCK = 512


@dataclass(frozen=True)
class Window:
    """How a spectrogram is taken.

    Attributes:
        milliseconds: length of the window. 5 ms shows each pulse of the voice and blurs frequency ("wide-band"); 30 ms
            and more show each harmonic and blur time ("narrow-band").
        overlap: share of a window that the next one covers.
        kind: one of ``WINDOWS``.
        emphasis: whether high frequencies are lifted by 6 dB an octave, as speech falls.

    Raises:
        SettingsError: a value is out of its range.
    """

    milliseconds: float = 1024 / 24
    overlap: float = 0.75
    kind: str = "Hann"
    emphasis: bool = False

    def __post_init__(self) -> None:
        if not WINDOW_MS[0] <= self.milliseconds <= WINDOW_MS[1]:
            raise SettingsError(
                f"A window of {self.milliseconds:g} ms.", remedy="Choose {:g} to {:g} ms.".format(*WINDOW_MS)
            )
        if not OVERLAPS[0] <= self.overlap <= OVERLAPS[1]:
            raise SettingsError(f"An overlap of {self.overlap:g}.", remedy="Choose {:g} to {:g}.".format(*OVERLAPS))
        if self.kind not in WINDOWS:
            raise SettingsError(f"There is no window {self.kind[:40]!r}.", remedy=f"Known: {', '.join(WINDOWS)}.")

    def samples(self, sample_rate: int) -> int:
        """Length in samples, 8 at least."""
        return max(8, round(self.milliseconds * sample_rate / 1000))

    def shape(self, sample_rate: int) -> np.ndarray:
        """Weights float64 [samples], whose sum is 2: a sine of amplitude 1 then has a magnitude of 1."""
        n = self.samples(sample_rate)
        kind: Any = ("gaussian", n / _GAUSS_WIDTHS) if self.kind == "Gauss" else WINDOWS[self.kind]
        weights = np.asarray(scipy.signal.get_window(kind, n, fftbins=True), np.float64)
        scaled: np.ndarray = 2 * weights / weights.sum()
        return scaled

    def bandwidth_hz(self, sample_rate: int) -> float:
        """Equivalent noise bandwidth: two tones that are closer than this are one."""
        weights = self.shape(sample_rate)
        return float(sample_rate * np.square(weights).sum() / weights.sum() ** 2)

    def lift(self, hz: np.ndarray, sample_rate: int) -> np.ndarray:
        """Decibels that pre-emphasis adds at ``hz``; zeros without it, and 0 at 1 kHz."""
        if not self.emphasis:
            return np.zeros(len(hz))

        def gain(at: Any) -> Any:
            turn = np.exp(-2j * np.pi * np.asarray(at, float) / sample_rate)
            return np.abs(1 - np.exp(-2 * np.pi * EMPHASIS_HZ / sample_rate) * turn)

        lifted: np.ndarray = 20 * np.log10(gain(hz) / gain(_EMPHASIS_UNCHANGED_HZ))
        return lifted


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """A spectrogram.

    Attributes:
        decibels: float32 [frames, bands], dBFS, -140 at least.
        hz: float64 [bands].
        frames_per_second: frame i is centred at i / frames_per_second.
        hop_seconds: the step that was asked for; the true one is longer where that would be too many frames.
    """

    decibels: np.ndarray
    hz: np.ndarray
    frames_per_second: float
    hop_seconds: float

    @property
    def is_thinned(self) -> bool:
        """Whether there are fewer frames than the overlap asks for."""
        return self.frames_per_second * self.hop_seconds < 0.999


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Level over frequency: ``decibels`` [bands] in dBFS at ``hz`` [bands]."""

    hz: np.ndarray
    decibels: np.ndarray

    @property
    def peak_hz(self) -> float:
        """Frequency of the highest level, refined by a parabola through its neighbours."""
        at = int(self.decibels.argmax())
        if not 0 < at < len(self.hz) - 1:
            return float(self.hz[at])
        before, top, after = self.decibels[at - 1 : at + 2]
        bend = before - 2 * top + after
        shift = 0.5 * (before - after) / bend if abs(bend) > 1e-9 else 0.0
        return float(self.hz[at] + shift * (self.hz[1] - self.hz[0]))


def spectrogram(wave: np.ndarray, sample_rate: int, window: Window = Window()) -> Spectrogram:
    """The spectrogram of ``wave``, float32 [n_samples]. At most 12,000 frames: a longer sound has fewer a second.

    Raises:
        AudioError: there are no samples.
    """
    weights, n_fft = window.shape(sample_rate), _fft_size(window.samples(sample_rate))
    wanted = max(1, round(window.samples(sample_rate) * (1 - window.overlap)))
    most = max(1, min(_MAX_FRAMES, _MAX_CELLS // (n_fft // 2 + 1)))
    hop = max(wanted, -(-len(wave) // most))
    padded = _padded(wave, len(weights))
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(weights))[::hop][: len(wave) // hop + 1]
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    lift = window.lift(hz, sample_rate).astype(np.float32)
    found = np.empty((len(frames), len(hz)), np.float32)
    for at in range(0, len(frames), _BLOCK):
        found[at : at + _BLOCK] = _decibels(frames[at : at + _BLOCK] * weights.astype(np.float32), n_fft) + lift
    return Spectrogram(found, hz, sample_rate / hop, wanted / sample_rate)


def spectrum_at(wave: np.ndarray, sample_rate: int, second: float, window: Window = Window()) -> Spectrum:
    """The spectrum of the window that is centred at ``second``; beyond the ends there is silence.

    Raises:
        AudioError: there are no samples.
    """
    weights = window.shape(sample_rate)
    n_fft = _SLICE_PADDING * _fft_size(len(weights))
    at = round(min(max(second, 0.0), len(wave) / sample_rate) * sample_rate)
    part = _padded(wave, len(weights))[at : at + len(weights)]
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    part = np.pad(part, (0, len(weights) - len(part)))
    return Spectrum(hz, _decibels((part * weights)[None], n_fft)[0] + window.lift(hz, sample_rate))


def mean_spectrum(wave: np.ndarray, sample_rate: int, window: Window = Window()) -> Spectrum:
    """The long-term average spectrum: the mean power of the windows of ``wave``.

    Raises:
        AudioError: there are no samples.
    """
    found = spectrogram(wave, sample_rate, window)
    power = (10.0 ** (found.decibels.astype(np.float64) / 10)).mean(axis=0)
    return Spectrum(found.hz, 10 * np.log10(power))


def _fft_size(n_samples: int) -> int:
    return max(2 * _LEAST_ROWS, 1 << (n_samples - 1).bit_length())


def _padded(wave: np.ndarray, n_window: int) -> np.ndarray:
    """``wave`` with silence at both ends, so that window i of it is centred on sample i."""
    if not len(wave):
        raise AudioError("There are no samples to analyse.", remedy="Choose a longer span.")
    return np.pad(np.asarray(wave, np.float32), (n_window // 2, n_window))


def _decibels(windowed: np.ndarray, n_fft: int) -> np.ndarray:
    magnitude = np.abs(scipy.fft.rfft(windowed, n_fft, axis=1))
    found: np.ndarray = 20 * np.log10(np.maximum(magnitude, 10 ** (FLOOR_DBFS / 20)))
    return found
