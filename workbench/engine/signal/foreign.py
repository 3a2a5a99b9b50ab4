"""Decode formats that libsndfile cannot read, such as m4a of telephones, with FFmpeg from the package av.

``containers.inspect`` recognises each kind by its first bytes and gives FFmpeg its name. FFmpeg never probes a file, so
no file can make it follow a play list or open another file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from workbench.engine.errors import AudioError
from workbench.engine.signal.containers import Container


@contextmanager
def opened(
    file: BinaryIO, found: Container, title: str, file_name: str = ""
) -> Iterator[tuple[int, int, int, Iterator[np.ndarray]]]:
    """Yield (rate in Hz, channels, stated frames or 0, blocks of float32 [n, channels]) of a file of kind ``found``.

    Raises:
        AudioError: av is not installed, or FFmpeg cannot read it.
    """
    try:
        import av  # type: ignore[import-not-found, unused-ignore]  # optional, and without types
    except ImportError as error:
        name = file_name or "recording"
        wav = shlex.quote(f"{name.rpartition('.')[0] or name}.wav")
        raise AudioError(
            f"{title} is {found.kind}, which needs the package av to be read.",
            remedy=f"Run `pip install av`, or convert it: `ffmpeg -i {shlex.quote(name)} {wav}`.",
        ) from error
    try:
        with av.open(file, mode="r", format=found.format) as media:
            if not media.streams.audio:
                raise AudioError(f"{title} ({found.kind}) holds no sound.", remedy="Use another file.")
            blocks = _blocks(media)
            rate, first = next(blocks, (0, np.zeros((0, 1), np.float32)))
            # FFmpeg only guesses the length of streams without a header
            duration = (media.duration or 0) if found.format not in ("aac", "amr") else 0
            claimed = int(max(duration, 0) / 1e6 * rate)
            yield rate, first.shape[1], claimed, _chained(first, blocks)
    except (av.error.FFmpegError, EOFError, ValueError, OSError) as error:
        why = found.missing or str(getattr(error, "strerror", "") or error).rstrip(".")
        raise AudioError(
            f"{title} ({found.kind}) cannot be read: {why}.", remedy="Export it again, as WAV or FLAC."
        ) from error


def _chained(first: np.ndarray, rest: Iterator[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    if len(first):
        yield first
    for _, block in rest:
        if block.shape[1] == first.shape[1]:
            yield block


def _blocks(media: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (rate in Hz, float32 [n, channels]) of each frame until decoding fails. AAC states its rate only here."""
    import av

    resampler = None
    try:
        for frame in media.decode(audio=0):
            if resampler is None:
                resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
            for plain in resampler.resample(frame):
                yield plain.sample_rate, plain.to_ndarray().T
    except av.error.FFmpegError:
        if resampler is None:
            raise
