"""Decode any recording block by block to one channel. Memory depends on the result, not on the file.

``Recording.notes`` names every oddity in words: a file that is cut short, channels that cancel each other, clipped
samples. None is corrected without a note.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from workbench.engine import rules
from workbench.engine.errors import AudioError, reason_of
from workbench.engine.signal import foreign
from workbench.engine.signal.containers import Container, Patched, inspect
from workbench.engine.signal.limits import check_length, check_values

Source = str | Path | bytes | BinaryIO
_BLOCK_VALUES = 2**18  # frames x channels read at once: 1 MiB of float32
_SMALL_VALUES = 2**10
_UNKNOWN_FRAMES = 2**62  # libsndfile counts a stream without a length as 2**63 - 1 frames
_ANOTHER = "Use another file."
_CANCELLED = 0.5  # channels cancel if their mix has less than this part of the power that unrelated channels would have
_CEILING = 1e-3  # a recording is clipped if more than this part of its samples lies flat at the loudest value
Stream = tuple[int, int, int, Iterator[np.ndarray]]  # rate, channels, stated frames or 0, blocks float32 [n, channels]


@dataclass(frozen=True)
class Recording:
    """The content of a sound file.

    Attributes:
        wave: float32 [n_samples], mono, at the requested rate.
        level: root mean square of the recording before resampling, without its mean (DC offset).
        notes: oddities of the file, in words.
    """

    wave: np.ndarray
    level: float
    notes: tuple[str, ...] = ()


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read once from start to end, without seeking.

    ``SoundFile.read`` seeks after every block, which is impossible in GSM 6.10, G.72x, DWVW and XI, and slow in
    compressed files.
    """

    def seekable(self) -> bool:
        """Return False, so that ``read`` does not seek."""
        return False


class _Bytes(io.BytesIO):
    """Bytes in memory for libsndfile, which may seek to negative offsets if a header is wrong."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move and return the position; an impossible position leaves it unchanged."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def decode(source: Source, sample_rate: int, title: str, max_seconds: float, file_name: str = "") -> Recording:
    """Decode ``source`` to mono at ``sample_rate``: the mean of its channels, or the loudest channel if they cancel.

    Memory depends on ``max_seconds`` of the result, not on the rate, channels and length that the file states. It is
    twice the result and some blocks of 1 MiB: 120 MB for ten minutes at 24 kHz. ``title`` is what messages call it, and
    ``file_name`` is for a command that converts it.

    Raises:
        AudioError: the file is missing, empty, not audio, too long, of an unusual rate, without samples or not finite;
            or it needs the package av, which is not installed.
    """
    with _opened(source, title) as file:
        found = inspect(file)
        wave, heard = _decoded(file, found, sample_rate, title, max_seconds, None, file_name=file_name)
        small = bool(heard.failed)  # read again in small blocks, which loses less before the fault
        if small:
            wave, heard = _decoded(file, found, sample_rate, title, max_seconds, None, small)
            if not heard.n_frames:
                raise AudioError(f"{title} is not audio that can be read ({heard.failed}).", remedy=_ANOTHER)
        notes = [found.missing] if found.missing else []
        if heard.stopped and not notes:
            notes += [f"the file is cut short or damaged: {heard.stopped}"]
        if heard.cancels:
            wave, heard = _decoded(file, found, sample_rate, title, max_seconds, loudest := heard.loudest, small)
            notes += [f"its channels cancel each other when mixed: channel {loudest + 1}, the louder one, is used"]
        if heard.flat > _CEILING:
            notes += [
                f"the recording is clipped ({heard.flat:.1%} of its samples lie at a ceiling): it sounds distorted"
            ]
        return Recording(wave, heard.level, tuple(notes))


def _decoded(
    file: BinaryIO,
    found: Container,
    sample_rate: int,
    title: str,
    max_seconds: float,
    channel: int | None,
    small: bool = False,
    file_name: str = "",
) -> tuple[np.ndarray, _Heard]:
    """Read ``file`` once. ``small`` blocks lose less of a file that breaks off, because a block fails as a whole."""
    file.seek(0)
    if found.kind:
        with foreign.opened(file, found, title, file_name) as stream:
            return _read(stream, sample_rate, title, max_seconds, channel)
    try:
        descriptor = None if found.patch else _descriptor(file)
        with _Forward(Patched(file, found.patch) if descriptor is None else descriptor, closefd=False) as sound:
            stream = (
                sound.samplerate,
                sound.channels,
                sound.frames,
                _blocks(sound, _SMALL_VALUES if small else _BLOCK_VALUES),
            )
            return _read(stream, sample_rate, title, max_seconds, channel)
    except soundfile.LibsndfileError as error:
        why = found.missing or error.error_string.strip().rstrip(".")
        raise AudioError(
            f"{title} is not audio that can be read ({why}).", remedy="Use WAV, FLAC, OGG or MP3."
        ) from error


def _descriptor(file: BinaryIO) -> int | None:
    """Return the descriptor of a file on disk, which libsndfile then reads itself; None for bytes in memory."""
    try:
        return file.fileno()
    except OSError:
        return None


def _blocks(sound: _Forward, n_values: int) -> Iterator[np.ndarray]:
    n_frames = max(1, n_values // sound.channels)
    while len(block := sound.read(n_frames, dtype="float32", always_2d=True)):
        yield block


@contextmanager
def _opened(source: Source, title: str) -> Iterator[BinaryIO]:
    """Open ``source``, a regular file or bytes, for reading. Raises AudioError."""
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
        with open(handle, "rb", buffering=0, closefd=False) as file:
            yield file
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


class _Heard:
    """Sums over a recording that is read block by block, and what follows from them."""

    def __init__(self, channels: int) -> None:
        self.n_frames = 0
        self.stopped = self.failed = ""
        self._sum = self._power = 0.0
        self._sums, self._powers = np.zeros(channels), np.zeros(channels)
        self._peak, self._n_flat = 0.0, 0

    def add(self, block: np.ndarray, mono: np.ndarray) -> None:
        """Add a block [n, channels] and the mono samples made from it [n]."""
        self.n_frames += len(block)
        self._sum += float(mono.sum())
        self._power += float(mono @ mono)
        if block.shape[1] > 1:
            self._sums += block.sum(axis=0, dtype=np.float64)
            self._powers += np.square(block, dtype=np.float64).sum(axis=0)
        self._add_flat(mono)

    def _add_flat(self, mono: np.ndarray) -> None:
        """Count the samples near the loudest value so far that equal both neighbours."""
        sizes = np.abs(mono)
        peak = float(sizes.max())
        if peak > 1.01 * self._peak:
            self._peak, self._n_flat = peak, 0
        flat = (mono[1:-1] == mono[:-2]) & (mono[1:-1] == mono[2:]) & (sizes[1:-1] > 0.99 * self._peak)
        self._n_flat += int(flat.sum())

    @property
    def level(self) -> float:
        """Root mean square of the mono samples, without their mean (DC offset)."""
        return float(np.sqrt(max(0.0, self._power / self.n_frames - (self._sum / self.n_frames) ** 2)))

    @property
    def flat(self) -> float:
        """Part of the samples, 0 to 1, that lie flat at the loudest value."""
        return self._n_flat / self.n_frames

    @property
    def _variances(self) -> np.ndarray:
        return np.maximum(0, self._powers / self.n_frames - np.square(self._sums / self.n_frames))

    @property
    def loudest(self) -> int:
        """Index of the channel with the most power."""
        return int(self._variances.argmax())

    @property
    def cancels(self) -> bool:
        """Whether the mix has less than half of the power that unrelated channels would leave."""
        alone = float(self._variances.sum()) / len(self._variances) ** 2
        return len(self._variances) > 1 and self.level**2 < _CANCELLED * alone


def _read(
    stream: Stream, sample_rate: int, title: str, max_seconds: float, channel: int | None
) -> tuple[np.ndarray, _Heard]:
    """Return the wave of ``channel``, or of the mix if it is None, and the sums over the recording."""
    rate, channels, claimed, blocks = stream
    low, high = rules.REFERENCE_RATES_HZ
    if rate and not low <= rate <= high:
        raise AudioError(
            f"{title} has {rate:,} samples a second.", remedy=f"Use a recording of {low:,} to {high:,} Hz."
        )
    claimed = claimed if 0 < claimed < _UNKNOWN_FRAMES else 0
    check_length(claimed, rate, channels, title, max_seconds)
    resampler = None if rate in (0, sample_rate) else soxr.ResampleStream(rate, sample_rate, 1, "float32", "HQ")
    waves, heard = [], _Heard(channels)
    try:
        for block in blocks:
            check_length(heard.n_frames + len(block), rate, channels, title, max_seconds, more=True)
            check_values(block, title)
            mono = block.mean(axis=1, dtype=np.float64) if channel is None else block[:, channel].astype(np.float64)
            heard.add(block, mono)
            mono = mono.astype(np.float32)
            waves.append(resampler.resample_chunk(mono) if resampler else mono)
    except soundfile.LibsndfileError as error:
        if heard.n_frames >= claimed or not claimed:
            raise
        heard.failed = error.error_string
    if not heard.n_frames and not heard.failed:
        raise AudioError(f"{title} holds no samples.", remedy=_ANOTHER)
    if not heard.n_frames:
        return np.zeros(0, np.float32), heard
    if heard.n_frames < 0.99 * claimed - rate * 0.1:
        heard.stopped = f"{heard.n_frames / rate:.1f} of {claimed / rate:.1f} s can be read"
    if resampler:
        waves.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    if not any(len(wave) for wave in waves):  # a few samples at a high rate may be less than one at the model's rate
        raise AudioError(f"{title} holds no samples.", remedy=_ANOTHER)
    return np.concatenate(waves), heard
