"""Estimate the fundamental frequency of speech, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from workbench.engine.signal.spectra import _BLOCK_FRAMES


@dataclass(frozen=True, eq=False)
class Pitch:
    """Fundamental frequency over time.

    Attributes:
        seconds: float64 [frames], centre of each frame.
        hz: float64 [frames], NaN in unvoiced frames.
        aperiodicity: float64 [frames], 0 for a periodic frame, near 1 for noise.
    """

    seconds: np.ndarray
    hz: np.ndarray
    aperiodicity: np.ndarray


def pitch(
    wave: np.ndarray,
    sample_rate: int,
    *,
    low_hz: float = 60.0,
    high_hz: float = 500.0,
    hop_length: int = 256,
    threshold: float = 0.15,
    voicing: float = 0.35,
) -> Pitch:
    """Fundamental frequency by YIN (de Cheveigne and Kawahara, JASA 111, 2002), frame by frame.

    Own code, not librosa's: ``librosa.yin`` does not detect voicing, and ``librosa.pyin`` is many times slower.

    Args:
        wave: float32 [n_samples].
        sample_rate: Hz.
        low_hz: lowest pitch; the window is two and a half of its periods long.
        high_hz: highest pitch.
        hop_length: samples between frames; with the default, frames are those of the models' mels.
        threshold: the period is the first dip of the difference function below it, else the deepest dip.
        voicing: frames with at least this aperiodicity are unvoiced.
    """
    longest, shortest = int(sample_rate / low_hz), max(2, int(sample_rate / high_hz))
    width = round(2.5 * sample_rate / low_hz)
    half = (width + longest) // 2
    padded = np.pad(np.asarray(wave, np.float32), (half, half + width + longest))
    n_frames = len(wave) // hop_length + 1
    frames = np.lib.stride_tricks.sliding_window_view(padded, width + longest + 1)[::hop_length][:n_frames]
    lags, depths, loud = np.empty(n_frames), np.empty(n_frames), np.empty(n_frames)
    for at in range(0, n_frames, _BLOCK_FRAMES):
        block = slice(at, at + _BLOCK_FRAMES)
        normalised, loud[block] = _yin_difference(frames[block], width, longest)
        lags[block], depths[block] = _first_dip(normalised, shortest, threshold)
    audible = loud > 1e-4 * max(loud.max(), 1e-12)  # frames 40 dB below the loudest are unvoiced
    hz = np.where(audible & (depths < voicing), sample_rate / lags, np.nan)
    return Pitch(np.arange(n_frames) * hop_length / sample_rate, hz, depths)


def _yin_difference(frames: np.ndarray, width: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """YIN's cumulative mean normalised difference [frames, lags], and the mean square of each frame."""
    size = scipy.fft.next_fast_len(width + longest + 1, real=True)
    spectrum = scipy.fft.rfft(frames, size, axis=1)
    start = scipy.fft.rfft(frames[:, :width], size, axis=1)
    products = scipy.fft.irfft(spectrum * start.conj(), size, axis=1)[:, : longest + 1]
    sums = np.concatenate([np.zeros((len(frames), 1)), np.cumsum(np.square(frames), axis=1, dtype=np.float64)], axis=1)
    energy = sums[:, width : width + longest + 1] - sums[:, : longest + 1]
    squared = np.maximum(energy[:, :1] + energy - 2 * products, 0)
    mean = np.cumsum(squared[:, 1:], axis=1) / np.arange(1, longest + 1)
    normalised = np.ones_like(squared)
    np.divide(squared[:, 1:], mean, out=normalised[:, 1:], where=mean > 1e-12)
    return normalised, energy[:, 0] / width


def _first_dip(normalised: np.ndarray, shortest: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Lag (refined by a parabola) and depth of the first dip below ``threshold``, else of the deepest."""
    inner = normalised[:, shortest:-1]
    dips = (inner < threshold) & (inner <= normalised[:, shortest + 1 :]) & (inner <= normalised[:, shortest - 1 : -2])
    best = np.where(dips.any(axis=1), dips.argmax(axis=1), inner.argmin(axis=1)) + shortest
    rows = np.arange(len(normalised))
    before, depth, after = (normalised[rows, best + k] for k in (-1, 0, 1))
    bend = before - 2 * depth + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=np.abs(bend) > 1e-12)
    return best + np.clip(shift, -0.5, 0.5), depth
