"""Read, measure, trim, join and write sound. Waves are float32 arrays [n_samples] of one channel."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from workbench.engine import rules
from workbench.engine.errors import AudioError, OutputError
from workbench.engine.files import outputs
from workbench.engine.files.places import user_path
from workbench.engine.signal.decoding import Recording, Source, decode
from workbench.engine.signal.joining import FORMATS, check_finite, format_of, write_sound
from workbench.engine.visible import quoted

SILENT_RMS = 1e-4  # -80 dBFS; a recording below this is silent


def rms(wave: np.ndarray) -> float:
    """Return the root mean square of ``wave``, 1 at full scale; 0 if it has no samples."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if wave.size else 0.0


def decibels(level: float) -> float:
    """Return ``level`` in dBFS, -200 at least."""
    return float(20 * np.log10(max(level, 1e-10)))


def read_recording(
    source: Source,
    sample_rate: int,
    *,
    name: str | None = None,
    max_seconds: float = rules.REFERENCE_MAX_FILE_SECONDS,
) -> Recording:
    """Read a recording of any rate and channel count as mono float32 [n_samples] at ``sample_rate``, with its oddities.

    Args:
        source: path, bytes of a file, or open binary file. WAV, FLAC, OGG, MP3 and other formats of libsndfile; m4a,
            AAC, WebM and AMR if the package av is installed.
        sample_rate: of the result in Hz; soxr resamples at high quality.
        name: name for messages, if ``source`` is not a path.
        max_seconds: longer recordings are refused; before decoding if the header states the true length.

    Raises:
        AudioError: as ``decoding.decode``, or the recording is silent.
    """
    own = name or (Path(source).name if isinstance(source, str | Path) else "")
    title = quoted(own) if own else "the recording"
    found = decode(source, sample_rate, title, max_seconds, own)
    if found.level < SILENT_RMS:
        raise AudioError(f"{title} is silent ({decibels(found.level):.0f} dBFS).", remedy="Use a recording of speech.")
    return found


def read_audio(
    source: Source,
    sample_rate: int,
    *,
    name: str | None = None,
    max_seconds: float = rules.REFERENCE_MAX_FILE_SECONDS,
) -> np.ndarray:
    """Return the wave of ``read_recording``."""
    return read_recording(source, sample_rate, name=name, max_seconds=max_seconds).wave


def resample(wave: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Return ``wave`` [n_samples] resampled from ``rate`` to ``new_rate`` Hz, float32."""
    if rate == new_rate:
        return np.ascontiguousarray(wave, dtype=np.float32)
    resampled: np.ndarray = soxr.resample(wave, rate, new_rate, quality="HQ")
    return resampled.astype(np.float32)


def levels(wave: np.ndarray, sample_rate: int, window_seconds: float = 0.01) -> np.ndarray:
    """Return the level in dBFS of each window of ``wave`` [n_windows]; the last window may be shorter."""
    size = max(1, round(window_seconds * sample_rate))
    padded = np.pad(wave.astype(np.float64), (0, -len(wave) % size))
    counts = np.full(len(padded) // size, size, dtype=np.float64)
    counts[-1:] = size - (len(padded) - len(wave))
    power = np.square(padded).reshape(-1, size).sum(axis=1) / counts
    dbfs: np.ndarray = 10 * np.log10(np.maximum(power, 1e-20))
    return dbfs


def trim_edges(wave: np.ndarray, sample_rate: int, threshold_dbfs: float = rules.REFERENCE_EDGE_DBFS) -> np.ndarray:
    """Return ``wave`` without the 10 ms windows at both ends that are quieter than ``threshold_dbfs``."""
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
    """Return at most the first ``max_seconds`` of ``wave``, ending in the longest pause after ``min_seconds``.

    A pause is at least 100 ms below -40 dBFS; without one, the wave ends in its quietest 100 ms. Differs from upstream,
    which looks for silences of 1 s, then of 100 ms, and otherwise cuts at 12 s, perhaps in the middle of a word.
    """
    if len(wave) <= max_seconds * sample_rate:
        return wave
    window = round(0.01 * sample_rate)
    low, high = int(min_seconds * 100), int(max_seconds * 100)
    level = levels(wave, sample_rate)[low:high]
    smooth = np.convolve(10 ** (level / 10), np.ones(10) / 10, mode="valid")  # mean power of 100 ms
    pauses = runs(10 * np.log10(np.maximum(smooth, 1e-20)) < -40)
    start, end = max(pauses, key=lambda run: run[1] - run[0]) if pauses else (int(smooth.argmin()),) * 2
    return wave[: (low + (start + end) // 2 + 5) * window]


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return (first, last + 1) of each unbroken sequence of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def to_bytes(wave: np.ndarray, sample_rate: int, suffix: str = ".wav") -> bytes:
    """Return the bytes of a sound file with ``wave``: 16-bit WAV or FLAC, or Ogg Vorbis. The level stays unchanged.

    Raises:
        OutputError: the suffix is unknown, or samples are not finite.
    """
    kind, subtype = format_of(suffix)
    check_finite(wave)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(wave, -1, 1), sample_rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def exact_bytes(wave: np.ndarray, sample_rate: int) -> bytes:
    """Return the bytes of a 32-bit float WAV file that keeps every sample of ``wave``, float32 [n_samples], exactly."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave.astype(np.float32, copy=False), sample_rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def read_exact(path: Path, sample_rate: int, max_seconds: float) -> np.ndarray | None:
    """Read the samples that ``exact_bytes`` wrote; None if ``path`` is no such file, or of another rate or length."""
    try:
        if not path.is_file():  # a pipe would be read for ever
            return None
        with soundfile.SoundFile(path) as file:
            exact = (file.format, file.subtype, file.channels, file.samplerate) == ("WAV", "FLOAT", 1, sample_rate)
            if not exact or not 0 < file.frames <= max_seconds * sample_rate:
                return None
            wave: np.ndarray = file.read(dtype="float32")
            return wave
    except (OSError, soundfile.SoundFileError):
        return None


def check_output(path: str | Path) -> Path:
    """Check before a run that a sound file can be written to ``path``; return it with ``~`` expanded.

    Raises:
        OutputError: the type is unknown, or as ``outputs.check_place``.
    """
    path = user_path(path)
    if path.suffix.lower() not in FORMATS:
        if os.path.isdir(path):
            raise OutputError(f"{path} is a folder.", remedy=f"Name a file in it that ends with {', '.join(FORMATS)}.")
        raise OutputError(f"Cannot tell the type of {quoted(path.name)}.", remedy=f"End it with {', '.join(FORMATS)}.")
    outputs.check_place(path)
    return path


def write_audio(path: str | Path, wave: np.ndarray, sample_rate: int) -> Path:
    """Write ``wave`` to ``path`` in one step; replace an existing file. Returns the path.

    Raises:
        OutputError: as ``check_output`` and ``to_bytes``, or the disk is full.
    """
    path = check_output(path)
    return outputs.write_over(path, to_bytes(wave, sample_rate, path.suffix))


def save_audio(
    path: Path,
    blocks: Callable[[], Iterable[np.ndarray]],
    n_samples: int,
    sample_rate: int,
    before: outputs.Stamp | None,
) -> Path:
    """Write the sound that ``blocks()`` yields, ``n_samples`` in all, with ``outputs.save``. Returns the path used.

    ``before`` is the stamp of ``path`` before the work.

    Raises:
        OutputError: as ``write_sound``; or ``path`` cannot be written, and the message names the file used instead.
    """
    return outputs.save(path, lambda draft: write_sound(draft, blocks(), n_samples, sample_rate, path.suffix), before)
