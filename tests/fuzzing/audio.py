"""Recordings: every format and subtype that libsndfile writes, at unusual rates and widths, complete and damaged."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand
from workbench.engine.errors import WorkbenchError
from workbench.engine.signal.audio import read_audio
from workbench.engine.speech.voices import make_voice

_RATES = (1, 100, 8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000, 655_350)
_CHANNELS = (1, 1, 2, 3, 6, 8, 255)
_SECONDS = (0.0, 0.01, 0.2, 0.5, 1.0, 1.0, 3.0, 14.0)
_LEVELS = {
    "speech": 0.3,
    "quiet": 1e-3,
    "silence": 0.0,
    "full scale": 1.0,
    "3e38": 3e38,
    "NaN": float("nan"),
    "infinity": float("inf"),
}
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_USUAL = (
    *(("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")),
    *(("WAV", "GSM610"), ("WAV", "FLOAT"), ("WAV", "DOUBLE")),
)
_MOST_SAMPLES = 3_000_000
_RATE = 24_000


@cache
def _formats() -> tuple[tuple[str, str], ...]:
    return tuple(
        (kind, subtype) for kind in soundfile.available_formats() for subtype in soundfile.available_subtypes(kind)
    )


def _kind(source: Source, how: str) -> tuple[str, str]:
    """Format and subtype: those with headers that can lie, those that people have, or any."""
    random = source.random
    if how == "claims":
        return random.choice((("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), random.choice(_formats())))
    return random.choice((random.choice(_USUAL), random.choice(_formats()), random.choice(_formats())))


def _recording(source: Source, how: str) -> tuple[bytes, bool]:
    """The bytes of a sound file, and whether it is one that must be accepted: b"" where libsndfile cannot write it."""
    random = source.random
    kind, subtype = _kind(source, how)
    rate, channels, seconds = random.choice(_RATES), random.choice(_CHANNELS), random.choice(_SECONDS)
    level = random.choice((*_LEVELS, "speech", "speech", "speech"))
    # the encoders themselves fall over what is beyond this
    if subtype not in ("FLOAT", "DOUBLE"):
        level = level if level in ("speech", "quiet", "silence") else "full scale"
    if subtype in _LOSSY:
        rate, channels = min(max(rate, 8_000), 48_000), min(channels, 2)
    source.note(f"{kind} {subtype}, {rate} Hz x {channels}, {seconds} s, {level}")
    n_frames = min(int(seconds * rate), _MOST_SAMPLES // channels)
    tone = np.sin(np.arange(n_frames) * (2 * np.pi * 220 / rate)) * (1 + np.sin(np.arange(n_frames) * (9 / rate)))
    wave = np.repeat((tone * 0.5)[:, None], channels, axis=1)
    with np.errstate(all="ignore"):
        wave = (wave * _LEVELS[level]).astype(np.float64 if subtype == "DOUBLE" else np.float32)
    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, wave, rate, subtype, format=kind)
    except (soundfile.SoundFileError, AssertionError, TypeError, ValueError):
        return b"", False
    plain = (kind, subtype) in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"))
    good = plain and level == "speech" and n_frames / rate >= 0.9 and channels <= 2 and rate >= 8_000
    return buffer.getvalue(), good


def _claims(source: Source, raw: bytes) -> bytes:
    """The header of a WAV or FLAC that promises other lengths, rates and widths than there are."""
    random = source.random
    if raw[:4] == b"fLaC":
        rate, channels = random.choice((655_350, 655_350, 1_048_575, 1, 0, 44_100)), random.choice((1, 8, 8))
        frames = random.choice((599 * rate, 599 * rate, 170 * rate, 2**36 - 1, 1, 0)) & (2**36 - 1)
        source.note(f"FLAC claims {rate} Hz, {channels} channels, {frames} frames")
        packed = (rate << 44) | ((channels - 1) << 41) | (15 << 36) | frames
        return raw[:18] + packed.to_bytes(8, "big") + raw[26:]
    if raw[:4] == b"RIFF":
        fields = {22: "<H", 24: "<I", 28: "<I", 32: "<H", 34: "<H", 4: "<I", 40: "<I", 16: "<I", 20: "<H"}
        at = random.choice(list(fields))
        value = random.choice((0, 1, 2, 6, 8, 17, 255, 1024, 65535, 655_350, 2**31 - 1, 2**32 - 1))
        size = struct.calcsize(fields[at])
        source.note(f"RIFF field at {at} is {value}")
        return raw[:at] + (value & ((1 << 8 * size) - 1)).to_bytes(size, "little") + raw[at + size :]
    return damage.in_bytes(random, raw)


class Audio(Kind):
    """Odd and damaged recordings."""

    name = "audio"
    about = "read_audio and make_voice on every format, damaged or not"

    def prepare(self, folder: Path) -> None:
        _formats()

    def check(self, source: Source, place: Path) -> None:
        how = source.random.choice(("whole", "bytes", "bytes", "claims", "claims"))
        raw, good = _recording(source, how)
        if how != "whole":
            good, raw = False, (damage.in_bytes(source.random, raw) if how == "bytes" else _claims(source, raw))
        source.note(f"{how}, {len(raw)} bytes")
        path = place / source.random.choice(("a.wav", "a.mp3", "a", "[b].flac", "caf\udce9.wav", "a.raw", "a\n.ogg"))
        path.write_bytes(raw)
        given = source.random.choice((path, str(path), raw, io.BytesIO(raw)))
        try:
            if source.random.random() < 0.4:
                wave = make_voice(given, seeds.TEXT).mel
            else:
                wave = read_audio(given, _RATE, max_seconds=source.random.choice((180.0, 600.0)))
        except WorkbenchError as error:
            demand(not good, f"a good recording was refused: {error}")
            raise
        demand(wave.dtype == np.float32 and wave.size > 0, f"{wave.dtype} {wave.shape}")
        demand(np.isfinite(wave).all(), "samples or mel that are not finite")
