"""Spectrograms in dB, their differences, frequency axes, and reduction for drawing.

Takes and returns arrays; figures are made in ``workbench.figures``. A minute of audio takes a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy

from workbench.engine.errors import AudioError
from workbench.engine.settings import MelConfig
from workbench.engine.signal.mel import mel_spectrogram

DECIBELS_PER_NEPER = 20 / np.log(10)  # mels are natural logarithms of magnitudes
FLOOR_DECIBELS = -100.0  # of the models' mels: log(1e-5)
SCALES = ("mel", "linear", "log")
LOWEST_HZ = 50.0  # where a logarithmic axis begins
_BLOCK_FRAMES = 1024  # frames processed at once; bounds the memory


def mel_decibels(mel: np.ndarray) -> np.ndarray:
    """A mel of the models [frames, n_mels] in dB relative to magnitude 1, float32, at least -100 dB."""
    return np.maximum(mel * np.float32(DECIBELS_PER_NEPER), np.float32(FLOOR_DECIBELS))


def decoded_mel(wave: np.ndarray, config: MelConfig = MelConfig()) -> np.ndarray:
    """The mel of decoded audio in dB, float32 [frames, n_mels]."""
    return mel_decibels(mel_spectrogram(wave, config))


def stft_decibels(wave: np.ndarray, n_fft: int = 1024, hop_length: int = 256) -> np.ndarray:
    """Short-time Fourier magnitudes of ``wave`` in dB, Hann window, centre-padded as the models' mels are.

    Returns:
        float32 [n_samples // hop_length + 1, n_fft // 2 + 1], at least -100 dB.

    Raises:
        AudioError: there are no samples.
    """
    if not len(wave):
        raise AudioError("There are no samples to analyse.", remedy="Choose a longer span.")
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    mode: Literal["reflect", "constant"] = "reflect" if len(wave) > n_fft // 2 else "constant"
    padded = np.pad(np.asarray(wave, np.float32), n_fft // 2, mode=mode)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    found = np.empty((len(frames), n_fft // 2 + 1), np.float32)
    for at in range(0, len(frames), _BLOCK_FRAMES):
        magnitude = np.abs(scipy.fft.rfft(frames[at : at + _BLOCK_FRAMES] * window, axis=1))
        found[at : at + _BLOCK_FRAMES] = 20 * np.log10(np.maximum(magnitude, 1e-5))
    return found


def difference(a: np.ndarray, b: np.ndarray, floor: float = FLOOR_DECIBELS) -> np.ndarray:
    """``b - a`` in dB over their common frames, each [frames, bands].

    Args:
        floor: dB; lower values count as the floor, since they cannot be heard.
    """
    n_frames = min(len(a), len(b))
    found: np.ndarray = np.maximum(b[:n_frames], floor) - np.maximum(a[:n_frames], floor)
    return found


def level_offset(model: np.ndarray, decoded: np.ndarray, loud_decibels: float = 30.0) -> float:
    """Median level of ``decoded`` above ``model`` in dB, where ``model`` is loud; both [frames, bands] in dB.

    Speech of a quiet reference is lowered to its level after the vocoder. This gain is not an error of the vocoder.
    """
    n_frames = min(len(model), len(decoded))
    a, b = model[:n_frames], decoded[:n_frames]
    loud = a > a.max() - loud_decibels if a.size else np.zeros(0, bool)
    return float(np.median((b - a)[loud])) if loud.any() else 0.0


def mean_change(model: np.ndarray, decoded: np.ndarray, audible_decibels: float = 60.0) -> float:
    """Mean absolute change by the vocoder in dB, without the level offset, within 60 dB of the loudest of ``model``."""
    change = difference(model, decoded) - level_offset(model, decoded)
    heard = model[: len(change)] > model.max() - audible_decibels if model.size else np.zeros(0, bool)
    return float(np.abs(change[heard]).mean()) if heard.any() else 0.0


def chunk_borders(starts: Sequence[int], lengths: Sequence[int], sample_rate: int) -> list[tuple[float, float]]:
    """(start, end of the fade-in) in seconds of every chunk but the first, on the time axis of the joined audio.

    Args:
        starts: sample at which each chunk begins (``Run.starts``).
        lengths: samples of each chunk.
        sample_rate: Hz.
    """
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    return [(start / sample_rate, max(start, end) / sample_rate) for start, end in zip(starts[1:], ends, strict=False)]


# Frequency axes ------------------------------------------------------------------------------------------------------


def to_mel(hz: np.ndarray | float) -> np.ndarray:
    """Hz on the mel scale of the models (HTK's formula)."""
    return 2595 * np.log10(1 + np.asarray(hz, float) / 700)


def from_mel(mel: np.ndarray) -> np.ndarray:
    """The inverse of ``to_mel``."""
    return 700 * (10 ** (np.asarray(mel, float) / 2595) - 1)


def mel_hz(config: MelConfig = MelConfig()) -> np.ndarray:
    """Centre frequency of each mel channel, Hz [n_mels]."""
    top = to_mel(config.target_sample_rate / 2)
    return from_mel(np.linspace(0, top, config.n_mel_channels + 2)[1:-1])


def axis_hz(scale: str, n_rows: int, sample_rate: int) -> np.ndarray:
    """Hz of ``n_rows`` rows evenly spaced on ``scale`` ("mel", "linear" or "log"), up to half the sample rate.

    On the mel scale they are the centres of ``n_rows`` mel channels, so a mel with as many keeps its values.
    """
    top = sample_rate / 2
    if scale == "mel":
        return from_mel(np.linspace(0, to_mel(top), n_rows + 2)[1:-1])
    if scale == "log":
        return np.geomspace(LOWEST_HZ, top, n_rows)
    return np.linspace(0, top, n_rows)


def on_axis(decibels: np.ndarray, bands_hz: np.ndarray, rows_hz: np.ndarray) -> np.ndarray:
    """``decibels`` [frames, bands] interpolated linearly at ``rows_hz``, float32 [frames, rows]."""
    at = np.interp(rows_hz, bands_hz, np.arange(len(bands_hz)))
    low = np.minimum(at.astype(int), len(bands_hz) - 2)
    part = (at - low).astype(np.float32)
    rows: np.ndarray = decibels[:, low] * (1 - part) + decibels[:, low + 1] * part
    return rows


# Reduction for drawing ------------------------------------------------------------------------------------------------


def pool(values: np.ndarray, n_columns: int, *, signed: bool = False) -> tuple[np.ndarray, int]:
    """Reduce ``values`` [frames, bands] to at most ``n_columns`` columns: the maximum over equal groups of frames.

    Args:
        values: a spectrogram.
        n_columns: number of visible columns.
        signed: ``values`` are differences: take the mean, since a maximum would show only increases.

    Returns:
        float [columns, bands], and the frames in a group. A maximum keeps clicks visible, a mean hides them.
    """
    size = max(1, -(-len(values) // max(1, n_columns)))
    if size == 1:
        return values, 1
    padded = np.pad(values, ((0, -len(values) % size), (0, 0)), mode="edge")
    groups = padded.reshape(-1, size, values.shape[1])
    return (groups.mean(axis=1) if signed else groups.max(axis=1)), size


def envelope(wave: np.ndarray, n_columns: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Minimum and maximum of each of at most ``n_columns`` groups of samples, and the samples in a group."""
    size = max(1, -(-len(wave) // max(1, n_columns)))
    padded = np.pad(wave, (0, -len(wave) % size), mode="edge").reshape(-1, size)
    return padded.min(axis=1), padded.max(axis=1), size


# Pitch ---------------------------------------------------------------------------------------------------------------
