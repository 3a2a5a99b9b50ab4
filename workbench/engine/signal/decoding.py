"""Decode any recording block by block to one channel. Memory depends on the result, not on the file."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from workbench.engine import rules
from workbench.engine.errors import AudioError, reason_of

Source = str | Path | bytes | BinaryIO
_BLOCK_VALUES = 2**18  # frames x channels read at once: 1 MiB of float32
_UNKNOWN_FRAMES = 2**62  # libsndfile counts a stream without a length as 2**63 - 1 frames
_ANOTHER = "Use another file."


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from start to end.

    ``SoundFile.read`` seeks after every block, which is impossible in GSM 6.10, G.72x, DWVW and XI, and slow in
    compressed files.
    """

    def seekable(self) -> bool:
        """False, so that ``read`` does not seek."""
        return False


class _Bytes(io.BytesIO):
    """Bytes in memory for libsndfile, which may seek to negative offsets if a header is wrong."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move and return the position; an impossible position leaves it unchanged."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def decode(source: Source, sample_rate: int, title: str, max_seconds: float) -> tuple[np.ndarray, float]:
    """Decode ``source`` to mono at ``sample_rate``.

    Memory is bounded by ``max_seconds`` of the result, whatever rate, channels and length the file states: twice the
    result and some blocks of 1 MiB, 120 MB for ten minutes at 24 kHz.

    Returns:
        The wave, float32 [n_samples], and the root mean square of the recording before resampling.

    Raises:
        AudioError: the file is missing, empty, not audio, too long, without samples or not finite, or its rate is
            out of range.
    """
    with _opened(source, title) as file:
        try:
            with _Forward(file, closefd=False) as sound:
                return _read(sound, sample_rate, title, max_seconds)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{title} is not audio that can be read ({error.error_string.strip().rstrip('.')}).",
                remedy="Use WAV, FLAC, OGG or MP3.",
            ) from error


@contextmanager
def _opened(source: Source, title: str) -> Iterator[int | BinaryIO]:
    """Open ``source`` for libsndfile: the descriptor of a regular file, or bytes."""
    if not isinstance(source, str | Path):
        data = source if isinstance(source, bytes) else source.read(rules.REFERENCE_MAX_FILE_BYTES + 1)
        if len(data) > rules.REFERENCE_MAX_FILE_BYTES:
            raise AudioError(
                f"{title} has more than {rules.REFERENCE_MAX_FILE_BYTES:,} bytes.", remedy="Cut out the part you need."
            )
        if not data:
            raise AudioError(f"{title} is empty (0 bytes).", remedy=_ANOTHER)
        _check_kind(data[:2], title)
        yield _Bytes(data)
        return
    try:
        # without waiting if the name is a pipe without a writer
        handle = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(f"There is no file {source}.", remedy="Check the path.") from error
    except (OSError, ValueError) as error:
        raise AudioError(f"Cannot read {source}: {reason_of(error)}.", remedy=_ANOTHER) from error
    try:
        _check_regular(os.fstat(handle), source)
        _check_kind(os.read(handle, 2), title)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def _check_regular(found: os.stat_result, source: str | Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise AudioError(f"{source} is a folder.", remedy="Name a sound file.")
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(f"{source} is a device or a pipe, not a file.", remedy="Save the recording first.")
    if found.st_size == 0:
        raise AudioError(f"{source} is empty (0 bytes).", remedy=_ANOTHER)


def _check_kind(first: bytes, title: str) -> None:
    """Raise AudioError for a MIDI sample dump: libsndfile prints to standard output while it reads one."""
    if first == b"\xf0\x7e":
        raise AudioError(f"{title} is a MIDI sample dump.", remedy="Use WAV, FLAC, OGG or MP3.")


def _read(sound: _Forward, sample_rate: int, title: str, max_seconds: float) -> tuple[np.ndarray, float]:
    rate, channels = sound.samplerate, sound.channels
    low, high = rules.REFERENCE_RATES_HZ
    if not low <= rate <= high:
        raise AudioError(
            f"{title} has {rate:,} samples a second.", remedy=f"Use a recording of {low:,} to {high:,} Hz."
        )
    claimed = sound.frames if 0 < sound.frames < _UNKNOWN_FRAMES else 0
    _check_length(claimed, sound, title, max_seconds)
    resampler = None if rate == sample_rate else soxr.ResampleStream(rate, sample_rate, 1, "float32", "HQ")
    waves, n_frames, power = [], 0, 0.0
    while len(block := sound.read(max(1, _BLOCK_VALUES // channels), dtype="float32", always_2d=True)):
        n_frames += len(block)
        _check_length(n_frames, sound, title, max_seconds, more=True)
        _check_values(block, title)
        mono = block.mean(axis=1, dtype=np.float64)
        power += float(mono @ mono)
        mono = mono.astype(np.float32)
        waves.append(resampler.resample_chunk(mono) if resampler else mono)
    if resampler and n_frames:
        waves.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    if not any(len(wave) for wave in waves):  # a few samples of a high rate may be less than one of the model's
        raise AudioError(f"{title} holds no samples.", remedy=_ANOTHER)
    return np.concatenate(waves), float(np.sqrt(power / n_frames))


def _check_length(frames: int, sound: _Forward, title: str, max_seconds: float, *, more: bool = False) -> None:
    """Raise AudioError for too many ``frames``; ``more``: they were counted so far, and the file may go on."""
    words = "more than " if more else ""
    if frames > max_seconds * sound.samplerate:
        raise AudioError(
            f"{title} is {words}{frames / sound.samplerate:.0f} s long, more than the {max_seconds:.0f} s that are "
            "read.",
            remedy="Cut out the part you need.",
        )
    if frames * sound.channels > rules.REFERENCE_MAX_VALUES:
        raise AudioError(
            f"{title} holds {words}{frames * sound.channels:,} samples ({sound.channels} channels at "
            f"{sound.samplerate:,} Hz), more than the {rules.REFERENCE_MAX_VALUES:,} that are read.",
            remedy="Cut out the part you need, or save it as mono at 48,000 Hz.",
        )


def _check_values(block: np.ndarray, title: str) -> None:
    peak = float(np.abs(block).max())
    if not np.isfinite(peak):
        raise AudioError(
            f"{title} holds samples that are not numbers (NaN or infinity).", remedy="Export it again from its source."
        )
    if peak > rules.REFERENCE_MAX_PEAK:
        raise AudioError(
            f"{title} holds samples of {peak:g}, where 1 is full scale.", remedy="Normalise it, or save it as 16 bit."
        )
