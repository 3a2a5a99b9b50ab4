"""Recordings from outside are decoded, or refused in one line, in bounded memory, for every kind of file."""

from __future__ import annotations

import io
import os
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench.engine import rules
from workbench.engine.errors import AudioError
from workbench.engine.signal.audio import read_audio
from workbench.engine.speech.voices import make_voice

TONE = (0.3 * np.sin(np.arange(24_000) / 10)).astype(np.float32)
NOT_FILES_ALONE = {"RAW", "SD2"}  # no header; a header in a second file
PRINTS = {"SDS"}


def encoded(kind: str, subtype: str, wave: np.ndarray = TONE) -> bytes | None:
    """``wave`` in a format, at a rate that it takes; None if libsndfile cannot write it."""
    for rate in (24_000, 8_000):
        buffer = io.BytesIO()
        try:
            soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
        except (soundfile.LibsndfileError, ValueError):
            continue
        return buffer.getvalue()
    return None


FILES = {
    (kind, subtype): content
    for kind in soundfile.available_formats()
    if kind not in NOT_FILES_ALONE
    for subtype in soundfile.available_subtypes(kind)
    if (content := encoded(kind, subtype))
}


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in FILES} - PRINTS))
def test_every_format_and_subtype_that_libsndfile_writes_is_read(kind, tmp_path):
    for (name, subtype), content in FILES.items():
        if name != kind:
            continue
        path = tmp_path / f"{kind}-{subtype}"
        path.write_bytes(content)
        waves = [read_audio(content, 24_000), read_audio(path, 24_000)]
        np.testing.assert_array_equal(waves[0], waves[1])
        assert len(waves[0]) >= (13_000 if kind == "XI" else 23_000), subtype  # XI is always of 44,100 Hz
        assert np.sqrt(np.mean(waves[0] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.15), subtype


def test_a_midi_sample_dump_is_refused_and_prints_nothing(capfd):
    damaged = bytearray(FILES["SDS", "PCM_16"])
    damaged[150:170] = b"\xff" * 20
    with pytest.raises(AudioError, match="MIDI"):
        read_audio(bytes(damaged), 24_000)
    assert capfd.readouterr() == ("", "")


def test_damaged_files_are_decoded_or_refused(tmp_path, capfd):
    rng, path, refused = random.Random(4), tmp_path / "odd", 0
    contents = [content for kind, subtype in FILES if (content := encoded(kind, subtype, TONE[:3000]))]
    for attempt in range(150):
        damaged = bytearray(contents[attempt % len(contents)])
        if attempt % 5 == 0:
            del damaged[rng.randrange(len(damaged)) :]
        for _ in range(rng.choice([1, 8, 64])):
            if damaged:
                damaged[rng.randrange(min(len(damaged), rng.choice([64, 10_000])))] = rng.choice([0, 127, 128, 255])
        path.write_bytes(damaged)
        for source in (bytes(damaged), path):
            try:
                assert np.isfinite(read_audio(source, 24_000)).all()
            except AudioError as error:
                refused += 1
                assert len(str(error).splitlines()) == 1
    assert 0 < refused < 300
    told = capfd.readouterr()  # the MP3 decoder's own notes on standard error apart
    assert told.out == ""
    assert "Traceback" not in told.err


def bomb(frames_claimed: int) -> bytes:
    """A FLAC of silence, 655,350 Hz and 8 channels, that claims a length in its header."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros((65_536, 8), np.int16), 655_350, format="FLAC", subtype="PCM_16")
    content = bytearray(buffer.getvalue())
    content[21] = (content[21] & 0xF0) | frames_claimed >> 32
    content[22:26] = (frames_claimed & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize("frames", [655_350 * 599, 2**36 - 1, 65_536, 0])
def test_memory_follows_from_the_result_and_not_from_the_header(frames):
    content = bomb(frames)
    tracemalloc.start()
    with pytest.raises(AudioError, match=r"samples|silent|long"):
        read_audio(content, 24_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_a_length_that_the_header_hides_is_found_while_reading(monkeypatch):
    monkeypatch.setattr(rules, "REFERENCE_MAX_VALUES", 400_000)
    with pytest.raises(AudioError, match="at most 400,000 are allowed"):
        read_audio(bomb(0), 24_000)


def wav(wave: np.ndarray, rate: int = 24_000, subtype: str = "FLOAT") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def with_header(offset: int, value: bytes) -> bytes:
    """A 16-bit WAV with some bytes of its header replaced."""
    content = bytearray(wav(TONE, subtype="PCM_16"))
    content[offset : offset + len(value)] = value
    return bytes(content)


ODD = {
    "1 Hz": (wav(np.tile(TONE[:50], 4), 1), "1 samples a second"),
    "2 GHz": (with_header(24, (2**31 - 1).to_bytes(4, "little")), "2,147,483,647 samples a second"),
    "0 Hz": (with_header(24, bytes(4)), "not audio"),
    "0 channels": (with_header(22, bytes(2)), "not audio"),
    "more channels than there are": (with_header(22, b"\xff\xff"), "not audio"),
    "3e38 in stereo": (wav(np.full((24_000, 2), 3e38, np.float32)), r"3e\+38, where 1 is full scale"),
    "infinite": (wav(np.where(np.arange(24_000) == 9, np.inf, TONE)), "not numbers"),
    "infinite against infinite": (wav(np.stack([np.full(24_000, np.inf), np.full(24_000, -np.inf)], 1)), "not numbers"),
    "a double beyond float32": (wav(np.full(24_000, 1e200), subtype="DOUBLE"), "not numbers"),
    "denormal": (wav(np.full(24_000, 1e-42, np.float32)), "silent"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_recordings_say_why(case):
    content, reason = ODD[case]
    with pytest.raises(AudioError, match=reason):
        read_audio(content, 24_000, name="odd.wav")


@pytest.mark.parametrize("channels", [3, 255, 1024])
def test_many_channels_are_mixed(channels):
    wave = read_audio(wav(np.repeat(TONE[:, None], channels, axis=1)[:6000]), 24_000)
    np.testing.assert_allclose(wave, TONE[:6000], atol=1e-6)


def test_highest_rates_are_read():
    assert len(read_audio(wav(np.tile(TONE, 10), 655_350), 24_000)) == pytest.approx(240_000 * 24_000 / 655_350, abs=2)


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    odd = {
        tmp_path / "pipe": "pipe",
        Path("/dev/zero"): "device",
        tmp_path / ("n" * 300): "name too long",
        tmp_path / "a\0b": "does not allow this name",
        tmp_path / "a" / "b": "no file",
    }
    for name, reason in odd.items():
        with pytest.raises(AudioError, match=reason):
            read_audio(name, 24_000)


def test_an_open_file_is_read_so_far(monkeypatch):
    monkeypatch.setattr(rules, "REFERENCE_MAX_FILE_BYTES", 1000)
    with pytest.raises(AudioError, match="more than 1,000 bytes"):
        read_audio(io.BytesIO(wav(TONE)), 24_000)


def test_a_name_that_is_not_unicode_is_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb") as file:
        file.write(wav(np.tile(TONE, 3)))
    voice = make_voice(os.fsdecode(path), "Hello there my friend, how are you?")
    assert voice.seconds > 2
