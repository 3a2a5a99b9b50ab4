"""Faulty recordings are corrected or named, and are planned like clean ones."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
import soundfile

from workbench.engine.errors import AudioError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal import containers
from workbench.engine.signal.audio import read_recording
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.text import plan_chunks
from workbench.engine.speech.voices import load_voice, make_voice

RATE = 24_000
NORA = load_voice("Nora")
CLEAN = NORA.audio[: -round(0.05 * RATE)]
NOISE = np.random.default_rng(5).standard_normal(RATE * 30).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def file_of(wave: np.ndarray, kind: str = "WAV", subtype: str | None = "PCM_16", rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def inside(seconds: float, at: float = 1.5) -> np.ndarray:
    cut = round(at * RATE)
    return np.concatenate([CLEAN[:cut], silence(seconds), CLEAN[cut:]])


def stereo(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels, axis=1)


def planned(content: bytes, **more) -> tuple[float, str]:
    """(seconds planned of a sentence, warnings) with this recording as the reference."""
    voice = make_voice(content, NORA.ref_text, **more)
    text = "Somebody opened the window, and the cold air of the morning came in."
    samples = len(voice.audio)
    chunks = plan_chunks(text, voice.ref_text, samples, SynthesisSettings(), pace_samples=voice.pace_samples)
    return sum(c.planned_seconds for c in chunks), "; ".join(voice.warnings)


ODD = {
    "offset 0.01": (np.concatenate([silence(1), CLEAN / 2, silence(1)]) + 0.01, "offset of +0.0"),
    "offset 0.2": (np.clip(CLEAN / 2 + 0.2, -1, 1), "offset of +0."),
    "offset -0.05": (np.concatenate([silence(2), CLEAN / 2]) - 0.05, "offset of -0.0"),
    "offset of the sound only": (np.concatenate([silence(1), CLEAN / 2 + 0.1, silence(1)]), "offset"),
    "quiet and offset": (np.concatenate([silence(1), CLEAN / 20, silence(1)]) + 0.002, "offset"),
    "antiphase": (stereo(CLEAN, -CLEAN), "channel 1, the louder one"),
    "antiphase, right louder": (stereo(-0.5 * CLEAN, CLEAN), "channel 2, the louder one"),
    "antiphase and offset": (stereo(CLEAN / 2 + 0.2, -CLEAN / 2 + 0.2), "channels cancel"),
    "antiphase among six": (stereo(CLEAN, -CLEAN, *[0 * CLEAN] * 4), "channels cancel"),
    "nearly antiphase": (stereo(-0.98 * CLEAN, CLEAN), "channels cancel"),
    "6 s inside": (inside(6), "silence in the recording: "),
    "3 s inside": (inside(3, 2.0), "silence in the recording: "),
    "twice inside": (np.concatenate([inside(2, 1.0)[: 4 * RATE], silence(2), inside(2, 1.0)[4 * RATE :]]), "silence"),
    "noise inside": (inside(4) + 0.002 * NOISE[: len(inside(4))], "silence in the recording: "),
    "13 s before it": (np.concatenate([silence(13), CLEAN]), ""),
    "4 times full scale": (CLEAN / np.abs(CLEAN).max() * 4, "4 times full scale"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_an_odd_recording_is_planned_as_the_clean_one(case):
    wave, told = ODD[case]
    clean, _ = planned(file_of(CLEAN))
    seconds, warnings = planned(file_of(wave, subtype="FLOAT"))
    assert seconds == pytest.approx(clean, rel=0.08 if case == "noise inside" else 0.05)
    assert told in warnings


@pytest.mark.parametrize("case", ["6 s inside", "3 s inside", "twice inside", "noise inside"])
def test_long_silence_is_shortened_only_when_asked(case):
    content = file_of(ODD[case][0], subtype="FLOAT")
    kept, short = make_voice(content, NORA.ref_text), make_voice(content, NORA.ref_text, shorten_pauses=True)
    assert kept.long_pauses and not short.long_pauses
    assert short.seconds == pytest.approx(NORA.seconds, rel=0.1)
    assert kept.seconds > short.seconds + 2 and "--shorten-pauses" in "; ".join(kept.warnings)
    assert planned(content, shorten_pauses=True)[0] == pytest.approx(planned(file_of(CLEAN))[0], rel=0.08)


def test_clean_recordings_keep_their_identity():
    assert make_voice(file_of(CLEAN), NORA.ref_text).id == NORA.id
    assert make_voice(file_of(stereo(CLEAN, CLEAN)), NORA.ref_text).id == NORA.id
    assert load_voice("nature-en").id.startswith("332747a5dbb8b7a6")
    for bundled in list_voices():
        voice = load_voice(bundled.name)
        assert voice.warnings == () and voice.pace_samples == len(voice.audio)


POOR = {
    "clipped": (np.clip(CLEAN * 8, -1, 1), "clipped"),
    "clipped, then lowered": (np.clip(CLEAN * 8, -1, 1) * 0.4, "clipped"),
    "clipped on top only": (np.minimum(CLEAN * 8, 0.9) * 0.5, "clipped"),
    "quiet": (CLEAN * 0.02, "too quiet"),
    "very quiet": (CLEAN * 0.004, "too quiet"),
    "noisy": (np.concatenate([silence(0.5), CLEAN, silence(0.5)]) + 0.06 * NOISE[: len(CLEAN) + RATE], "too noisy"),
    "noisier": (0.5 * CLEAN + 0.1 * NOISE[: len(CLEAN)], "too noisy"),
    "noise between digital silence": (np.concatenate([silence(1), CLEAN + 0.05 * NOISE[: len(CLEAN)]]), "too noisy"),
}


@pytest.mark.parametrize("case", POOR)
def test_poor_recordings_are_named(case):
    wave, told = POOR[case]
    assert told in planned(file_of(wave))[1]


TEXTS = {
    "one word": ("Yes.", "fewer"),
    "a paragraph": (NORA.ref_text * 3, "more"),
    "Chinese, twice too much": ("对，这就是我，万人敬仰的太乙真人，" * 3, "more"),
    "Chinese, a word": ("对", "fewer"),
    "Hindi, too much": ("नमस्ते दुनिया, यह एक लंबा वाक्य है। " * 5, "more"),
    "Arabic, too much": ("مرحبا بالعالم، هذه جملة طويلة جدا. " * 5, "more"),
    "Russian, a word": ("Да.", "fewer"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_that_cannot_fit_is_told_with_its_numbers(case):
    words, many = TEXTS[case]
    told = "; ".join(make_voice(file_of(CLEAN), words).warnings)
    assert f"{many} words than the recording" in told and "bytes of text per second" in told


@pytest.mark.parametrize(
    "words",
    [
        NORA.ref_text,
        "对，这就是我，万人敬仰的太乙真人。",
        "नमस्ते दुनिया, यह एक छोटा वाक्य है।",
        "مرحبا بالعالم، هذه جملة قصيرة.",
        "Привет, мир, это небольшое предложение.",
        "こんにちは、これは短い文です。",
    ],
)
def test_a_text_that_fits_is_not_doubted(words):
    assert not make_voice(file_of(CLEAN), words).warnings


WHOLE = {
    "WAV": file_of(CLEAN),
    "AIFF": file_of(CLEAN, "AIFF"),
    "AU": file_of(CLEAN, "AU"),
    "CAF": file_of(CLEAN, "CAF"),
    "W64": file_of(CLEAN, "W64"),
    "RF64": file_of(CLEAN, "RF64"),
    "FLAC": file_of(CLEAN, "FLAC"),
    "OGG": file_of(CLEAN, "OGG", "VORBIS"),
    "MP3": file_of(CLEAN, "MP3", None),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_short_says_so(kind):
    content = WHOLE[kind]
    assert read_recording(content, RATE).notes == ()
    cut = read_recording(content[: len(content) // 2], RATE)
    assert len(cut.wave) < 0.7 * len(CLEAN)
    (note,) = cut.notes
    assert "cut short" in note
    if kind in ("WAV", "AIFF", "AU", "CAF", "W64", "RF64", "MP3"):
        assert f"{len(content) // 2 // 1000} of {len(content) // 1000} kB" in note


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFE])
@pytest.mark.parametrize("after", [b"", b"odd"])
def test_a_length_that_was_never_filled_in_reads_to_the_end(length, after, tmp_path):
    content = bytearray(WHOLE["WAV"])
    at = content.find(b"data")
    content[at + 4 : at + 8] = struct.pack("<I", length)
    path = tmp_path / "piped.wav"
    path.write_bytes(content + after)
    for source in (path, bytes(content) + after):
        found = read_recording(source, RATE)
        assert len(CLEAN) <= len(found.wave) <= len(CLEAN) + 1 and found.notes == ()


def test_an_empty_recording_with_a_list_behind_it_is_empty():
    content = WHOLE["WAV"][: WHOLE["WAV"].find(b"data")] + b"data" + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    with pytest.raises(AudioError, match="no samples"):
        read_recording(content, RATE)


FOREIGN = {
    b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom\0\0\0\0": "m4a",
    b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4": "m4a",
    b"\xff\xf1\x50\x80\x2e\x7f\xfc": "AAC",
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01": "WebM",
    b"#!AMR\n": "AMR",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9": "Windows Media",
}


@pytest.mark.parametrize("start", FOREIGN)
def test_what_needs_ffmpeg_is_refused_by_name_with_the_line_that_converts_it(start, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=FOREIGN[start]) as refused:
        read_recording(start + bytes(4000), RATE, name="my voice.m4a")
    assert "`ffmpeg -i 'my voice.m4a' 'my voice.wav'`" in str(refused.value)


@pytest.mark.parametrize(
    ("format", "codec"), [("mp4", "aac"), ("adts", "aac"), ("matroska", "aac"), ("webm", "libopus"), ("asf", "wmav2")]
)
def test_what_needs_ffmpeg_is_read_where_it_is_installed(format, codec):
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as media:
        stream = media.add_stream(codec, rate=48_000 if codec == "libopus" else RATE, layout="mono")
        stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray((CLEAN * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            media.mux(packet)
    found = read_recording(buffer.getvalue(), RATE)
    assert len(found.wave) == pytest.approx(len(CLEAN), rel=0.05)
    assert np.sqrt(np.mean(found.wave**2)) == pytest.approx(NORA.rms, rel=0.1) and found.notes == ()
    with pytest.raises(AudioError, match=r"m4a|AAC|WebM|Windows"):
        read_recording(buffer.getvalue()[:60], RATE)


def test_boxes_tell_where_an_m4a_ends():
    content = b"\0\0\0\x10ftypM4A \0\0\0\0" + struct.pack(">I4s", 157_000, b"mdat") + bytes(78_000)
    assert "78 of 157 kB" in containers.inspect(io.BytesIO(content)).missing
