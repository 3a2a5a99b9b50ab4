"""Samples in and out: reading any recording, level, trimming, joining. NumPy arrays of float32, one channel."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from workbench.engine import settings as rules
from workbench.engine.errors import AudioError, OutputError

SILENT_RMS = 1e-4  # -80 dBFS: a digital recording of nothing
FORMATS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


def rms(wave: np.ndarray) -> float:
    """Root mean square of ``wave``, 1 is full scale; 0 for no samples."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if wave.size else 0.0


def decibels(level: float) -> float:
    """``level`` in dB of full scale."""
    return float(20 * np.log10(max(level, 1e-10)))


def read_audio(
    source: str | Path | bytes | BinaryIO,
    sample_rate: int,
    *,
    name: str | None = None,
    max_seconds: float = rules.REFERENCE_MAX_FILE_SECONDS,
) -> np.ndarray:
    """Read a recording of any rate and channel count as mono float32 [n_samples] at ``sample_rate``.

    Args:
        source: path, the bytes of a file, or an open binary file: WAV, FLAC, OGG, MP3 and what else libsndfile knows.
        sample_rate: Hz of the result; resampled by soxr at its high quality.
        name: what to call it in messages, where ``source`` is not a path.
        max_seconds: a longer recording is refused before it is decoded.

    Raises:
        AudioError: missing, empty, not audio, too long, without samples, not finite or silent.
    """
    title = name or (Path(source).name if isinstance(source, (str, Path)) else "the recording")
    file = _open(source, title)
    try:
        with soundfile.SoundFile(file) as sound:
            if sound.frames / sound.samplerate > max_seconds:
                raise AudioError(
                    f"{title} is {sound.frames / sound.samplerate:.0f} s long, more than the "
                    f"{max_seconds:.0f} s that are read.",
                    remedy="Cut out the part you need.",
                )
            samples = sound.read(dtype="float32", always_2d=True)
            rate = sound.samplerate
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{title} is not audio that can be read ({error.error_string.strip().rstrip('.')}).",
            remedy="Use WAV, FLAC, OGG or MP3.",
        ) from error
    return _checked_mono(samples, rate, sample_rate, title)


def _open(source: str | Path | bytes | BinaryIO, title: str) -> str | BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise AudioError(f"{title} is empty (0 bytes).", remedy="Use another file.")
        return io.BytesIO(source)
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    if path.is_dir():
        raise AudioError(f"{path} is a folder.", remedy="Name a sound file.")
    if not path.exists():
        raise AudioError(f"There is no file {path}.", remedy="Check the path.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes).", remedy="Use another file.")
    return str(path)


def _checked_mono(samples: np.ndarray, rate: int, sample_rate: int, title: str) -> np.ndarray:
    if len(samples) == 0:
        raise AudioError(f"{title} holds no samples.", remedy="Use another file.")
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{title} holds samples that are not numbers (NaN or infinity).", remedy="Export it again from its source."
        )
    mono = samples.mean(axis=1)
    if rms(mono) < SILENT_RMS:
        raise AudioError(f"{title} is silent ({decibels(rms(mono)):.0f} dBFS).", remedy="Use a recording of speech.")
    return resample(mono, rate, sample_rate)


def resample(wave: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """``wave`` [n_samples] at ``new_rate`` Hz, float32."""
    if rate == new_rate:
        return np.ascontiguousarray(wave, dtype=np.float32)
    return soxr.resample(wave, rate, new_rate, quality="HQ").astype(np.float32)


def levels(wave: np.ndarray, sample_rate: int, window_seconds: float = 0.01) -> np.ndarray:
    """Level in dBFS of each window of ``wave`` [n_windows]; the last may be shorter."""
    size = max(1, round(window_seconds * sample_rate))
    padded = np.pad(wave.astype(np.float64), (0, -len(wave) % size))
    counts = np.full(len(padded) // size, size, dtype=np.float64)
    counts[-1:] = size - (len(padded) - len(wave))
    power = np.square(padded).reshape(-1, size).sum(axis=1) / counts
    return 10 * np.log10(np.maximum(power, 1e-20))


def trim_edges(wave: np.ndarray, sample_rate: int, threshold_dbfs: float = rules.REFERENCE_EDGE_DBFS) -> np.ndarray:
    """``wave`` without the windows of 10 ms at either end that are quieter than ``threshold_dbfs``."""
    loud = np.flatnonzero(levels(wave, sample_rate) >= threshold_dbfs)
    if not len(loud):
        return wave
    size = round(0.01 * sample_rate)
    return wave[loud[0] * size : (loud[-1] + 1) * size]


def clip_at_silence(
    wave: np.ndarray,
    sample_rate: int,
    max_seconds: float = rules.REFERENCE_MAX_SECONDS,
    min_seconds: float = rules.REFERENCE_MIN_CLIP_SECONDS,
) -> np.ndarray:
    """At most the first ``max_seconds`` of ``wave``, ending in the longest pause after ``min_seconds``.

    A pause is a run of windows below -40 dBFS of at least 100 ms; without one, the quietest 100 ms are taken. Upstream
    looks for silences of 1 s, then 100 ms, and else cuts hard at 12 s, in the middle of a word.
    """
    if len(wave) <= max_seconds * sample_rate:
        return wave
    window = round(0.01 * sample_rate)
    low, high = int(min_seconds * 100), int(max_seconds * 100)
    level = levels(wave, sample_rate)[low:high]
    smooth = np.convolve(10 ** (level / 10), np.ones(10) / 10, mode="valid")  # mean power of 100 ms
    pauses = _runs(10 * np.log10(np.maximum(smooth, 1e-20)) < -40)
    start, end = max(pauses, key=lambda run: run[1] - run[0]) if pauses else (int(smooth.argmin()),) * 2
    return wave[: (low + (start + end) // 2 + 5) * window]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(first, last + 1) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def cross_fade(waves: list[np.ndarray], fade_samples: int) -> tuple[np.ndarray, list[int]]:
    """Join ``waves`` with linear fades of ``fade_samples`` at most.

    Returns:
        The joined wave, float32 [n_samples], and the sample at which each wave begins in it.

    The result is upstream's (``utils_infer.infer_batch_process``), which copies the whole wave for each chunk; this
    does it in one pass.
    """
    joined = np.zeros(sum(len(wave) for wave in waves), dtype=np.float32)
    starts, end = [], 0
    for wave in waves:
        overlap = min(fade_samples, end, len(wave))
        start = end - overlap
        if overlap > 0:
            ramp = np.linspace(0, 1, overlap)
            joined[start:end] = joined[start:end] * ramp[::-1] + wave[:overlap] * ramp
        joined[end : start + len(wave)] = wave[overlap:]
        starts.append(start)
        end = start + len(wave)
    return joined[:end].copy(), starts


def to_bytes(wave: np.ndarray, sample_rate: int, suffix: str = ".wav") -> bytes:
    """``wave`` as the bytes of a sound file, 16 bit, at its true level.

    Raises:
        OutputError: unknown suffix, or samples that are not finite.
    """
    if suffix.lower() not in FORMATS:
        raise OutputError(f"Files of type {suffix!r} cannot be written.", remedy=f"Use {', '.join(FORMATS)}.")
    if not np.isfinite(wave).all():
        raise OutputError(
            "The speech holds samples that are not numbers; nothing was written.",
            remedy="Try another number format (--dtype fp32).",
        )
    buffer = io.BytesIO()
    kind, subtype = FORMATS[suffix.lower()]
    soundfile.write(buffer, np.clip(wave, -1, 1), sample_rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def check_output(path: str | Path) -> Path:
    """``path`` if a sound file can be written there, before any work is spent on it.

    Raises:
        OutputError: unknown type, a folder, a missing folder, or no permission.
    """
    path = rules.user_path(path)
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"Cannot tell the type of {path.name!r}.", remedy=f"End it with {', '.join(FORMATS)}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", remedy="Name a file in it.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError("not writable")
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"Cannot write {path}: {reason}.", remedy="Choose a folder that exists and is yours."
        ) from error
    return path


def write_audio(path: str | Path, wave: np.ndarray, sample_rate: int) -> Path:
    """Write ``wave`` to ``path``, whole or not at all.

    Raises:
        OutputError: as ``check_output`` and ``to_bytes``, or the disk is full.
    """
    path = check_output(path)
    content = to_bytes(wave, sample_rate, path.suffix)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"Cannot write {path}: {error.strerror}.", remedy="Free some space or choose another place."
        ) from error
    return path
