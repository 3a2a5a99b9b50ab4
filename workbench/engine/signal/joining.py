"""Chunks to one sound, a piece at a time: no more than two waves are in memory, however long the whole is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from workbench.engine.errors import OutputError

FORMATS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
WAV_MAX_BYTES = 2**32 - 2**12  # of 16-bit samples, 24.8 hours at 24 kHz; its header counts no further
_BLOCK_SAMPLES = 2**20


def join_places(
    lengths: Sequence[int], fade_samples: int | Sequence[int], silences: Sequence[int] = ()
) -> tuple[list[int], int]:
    """Where waves of these ``lengths`` begin in the joined sound, and how many samples that has; as ``join_blocks``."""
    silences = silences or [0] * (len(lengths) + 1)
    fades = _each(fade_samples, len(lengths))
    starts, end = [], 0
    for length, silence, fade in zip(lengths, silences[:-1], fades, strict=True):
        end += silence
        start = end - (0 if silence else min(fade, end, length))
        starts.append(start)
        end = start + length
    return starts, end + silences[-1]


def _each(fade_samples: int | Sequence[int], n_waves: int) -> Sequence[int]:
    """The longest overlap of each wave with the one before it."""
    return [fade_samples] * n_waves if isinstance(fade_samples, int) else fade_samples


def join_blocks(
    waves: Iterable[np.ndarray], fade_samples: int | Sequence[int], silences: Sequence[int]
) -> Iterator[np.ndarray]:
    """Join ``waves`` with linear cross-fades of at most ``fade_samples``.

    Args:
        waves: in order, each float32 [n_samples]; each is asked for once, when it is needed.
        fade_samples: longest overlap; of all waves, or of each with the one before it.
        silences: samples of silence before the first wave and after each. Waves beside a silence are not faded, so
            its length is exact.

    Yields:
        float32 [n_samples], at least one sample each: the joined sound, in order.

    Same result as upstream (``utils_infer.infer_batch_process``), which copies the whole wave for each chunk.
    """
    held = np.zeros(0, np.float32)  # the end of the sound so far, which the next wave may still change
    fades = _each(fade_samples, len(silences) - 1)
    longest = max(fades, default=0)
    for wave, silence, fade in zip(waves, silences[:-1], fades, strict=True):
        held = np.concatenate([held, np.zeros(silence, np.float32)]) if silence else held
        overlap = 0 if silence else min(fade, len(held), len(wave))
        if overlap > 0:
            held = held.copy()
            ramp = np.linspace(0, 1, overlap)
            held[-overlap:] = held[-overlap:] * ramp[::-1] + wave[:overlap] * ramp
        held = np.concatenate([held, wave[overlap:]])
        done = max(len(held) - longest, 0)
        if done:
            yield held[:done]
            held = held[done:]
    held = np.concatenate([held, np.zeros(silences[-1], np.float32)]) if silences[-1] else held
    if len(held):
        yield held


def cross_fade(
    waves: Sequence[np.ndarray], fade_samples: int, silences: Sequence[int] = ()
) -> tuple[np.ndarray, list[int]]:
    """``waves`` joined as by ``join_blocks``, float32 [n_samples], and the index at which each begins."""
    silences = silences or [0] * (len(waves) + 1)
    blocks = list(join_blocks(waves, fade_samples, silences))
    joined = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return joined, join_places([len(wave) for wave in waves], fade_samples, silences)[0]


def write_sound(path: Path, blocks: Iterable[np.ndarray], n_samples: int, sample_rate: int, suffix: str = "") -> None:
    """Write ``blocks``, float32, as a 16-bit sound file to ``path``, level unchanged: the bytes of ``audio.to_bytes``.

    A WAV of more than ``WAV_MAX_BYTES`` is written as RF64, which has room for any length and which ffmpeg, SoX,
    Audacity and VLC read.

    Args:
        path: of the file; it is written in place.
        blocks: the sound, in order.
        n_samples: of all of it.
        sample_rate: Hz.
        suffix: ".wav", ".flac" or ".ogg"; by default that of ``path``.

    Raises:
        OutputError: unknown suffix, or samples that are not finite.
        OSError: it cannot be written.
    """
    kind, subtype = format_of(suffix or path.suffix)
    if kind == "WAV" and 2 * n_samples > WAV_MAX_BYTES:
        kind = "RF64"
    try:
        with soundfile.SoundFile(path, "w", sample_rate, 1, subtype, format=kind) as file:
            for block in blocks:
                for first in range(0, len(block), _BLOCK_SAMPLES):
                    part = block[first : first + _BLOCK_SAMPLES]
                    check_finite(part)
                    file.write(np.clip(part, -1, 1))
    except (soundfile.LibsndfileError, AssertionError) as error:  # the latter where not all samples were taken
        raise _system_error(path, str(error)) from error


def _system_error(path: Path, said: str) -> OSError:
    """Return what the system has against more bytes in ``path``; libsndfile does not pass it on."""
    try:
        with path.open("ab") as file:
            file.write(bytes(2**16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return OSError(errno.EIO, said or os.strerror(errno.EIO))


def format_of(suffix: str) -> tuple[str, str]:
    """libsndfile's names for the files with ``suffix``. Raises OutputError for one that is not written here."""
    if suffix.lower() not in FORMATS:
        raise OutputError(f"Files of type {suffix!r} cannot be written.", remedy=f"Use {', '.join(FORMATS)}.")
    return FORMATS[suffix.lower()]


def check_finite(wave: np.ndarray) -> None:
    """Raise OutputError if samples of ``wave`` are not finite."""
    if not np.isfinite(wave).all():
        raise OutputError(
            "The speech holds samples that are not numbers; nothing was written.",
            remedy="Try another number format (--dtype fp32).",
        )
