"""Read, measure, join and write samples."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from tests.engine.model import upstream
from workbench.engine.errors import AudioError, OutputError
from workbench.engine.signal import audio, joining


def sound_file(wave: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_channel_count_becomes_mono_at_24_khz(rate, channels):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    wave = audio.read_audio(sound_file(np.stack([tone] * channels, 1), rate), 24000)
    assert wave.dtype == np.float32
    assert abs(len(wave) - 24000) <= 1
    spectrum = np.abs(np.fft.rfft(wave))
    assert abs(np.argmax(spectrum) * 24000 / len(wave) - 440) < 2
    assert audio.rms(wave) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", None), ("FLAC", None), ("OGG", "VORBIS"), ("MP3", None)])
def test_common_formats_are_read(kind, subtype, speech):
    wave = audio.read_audio(sound_file(speech, 24000, kind, subtype), 24000)
    assert audio.rms(wave) == pytest.approx(audio.rms(speech), rel=0.05)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"this is a text, not a sound" * 50, "not audio"),
        (sound_file(np.zeros(24000), 24000), "silent"),
        (sound_file(np.full(24000, np.nan), 24000, subtype="FLOAT"), "not numbers"),
        (sound_file(np.zeros(0), 24000), "no samples"),
        (sound_file(np.full(8, 0.5), 655_350), "no samples"),
        (sound_file(np.ones(8000 * 1200, np.float32) * 0.1, 8000), "1200 s long"),
    ],
)
def test_recordings_that_cannot_be_used_say_why(content, reason):
    with pytest.raises(AudioError, match=reason):
        audio.read_audio(content, 24000, name="ref.wav")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(AudioError, match="no file"):
        audio.read_audio(tmp_path / "none.wav", 24000)
    with pytest.raises(AudioError, match="folder"):
        audio.read_audio(tmp_path, 24000)


def test_a_long_recording_is_clipped_in_its_pause():
    rate, rng = 24000, np.random.default_rng(0)
    speechy = (0.1 * rng.standard_normal(rate * 16)).astype(np.float32)
    speechy[int(9.2 * rate) : int(9.6 * rate)] = 0
    clipped = audio.clip_at_silence(speechy, rate)
    assert 9.2 <= len(clipped) / rate <= 9.6


def test_a_long_recording_without_a_pause_is_still_clipped():
    wave = (0.1 * np.random.default_rng(0).standard_normal(24000 * 20)).astype(np.float32)
    assert 6 <= len(audio.clip_at_silence(wave, 24000)) / 24000 <= 12.05


def test_edges_are_trimmed_and_the_middle_is_not(speech):
    padded = np.concatenate([np.zeros(12000, np.float32), speech, np.zeros(24000, np.float32)])
    trimmed = audio.trim_edges(padded, 24000)
    assert len(trimmed) < len(speech) + 480
    assert audio.rms(trimmed) >= audio.rms(speech)


def test_cross_fade_is_upstreams():
    rng = np.random.default_rng(1)
    waves = [rng.standard_normal(n).astype(np.float32) for n in (9000, 12000, 2000, 8000)]
    joined, starts = joining.cross_fade(waves, 3600)
    expected = _upstream_join(waves, 3600)
    np.testing.assert_allclose(joined, expected, atol=1e-6)
    assert starts[0] == 0
    assert starts[1] == 9000 - 3600


def _upstream_join(waves, fade):
    """The joining loop of upstream's infer_batch_process, reached through its own function on a model of silence."""
    import torch

    class Cfm:
        def sample(self, cond, text, duration, **kwargs):
            return torch.zeros(1, 2, 100), None

    class Vocoder:
        def __init__(self):
            self.left = list(waves)

        def decode(self, mel):
            return torch.from_numpy(self.left.pop(0))[None]

    class InOrder:  # a pool of one thread: upstream's threads would take the waves in any order
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, function, *arguments):
            result = function(*arguments)
            return type("Done", (), {"result": lambda _: result})()

    join = upstream.function("infer_batch_process")
    join.__globals__["ThreadPoolExecutor"] = InOrder
    texts = ["a sentence."] * len(waves)
    return next(join((torch.full((1, 24000), 0.2), 24000), "ref.", texts, Cfm(), Vocoder(), progress=None,
                     cross_fade_duration=fade / 24000, device="cpu"))[0]  # fmt: skip


def test_joining_without_a_fade_concatenates():
    joined, starts = joining.cross_fade([np.ones(5, np.float32), np.zeros(3, np.float32)], 0)
    assert joined.tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert starts == [0, 5]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_written_files_keep_their_level(tmp_path, suffix, speech):
    path = audio.write_audio(tmp_path / f"out{suffix}", speech * 0.1, 24000)
    assert audio.rms(soundfile.read(path)[0]) == pytest.approx(audio.rms(speech) * 0.1, rel=0.05)


def test_speech_that_is_not_finite_is_never_written(tmp_path):
    with pytest.raises(OutputError, match="not numbers"):
        audio.write_audio(tmp_path / "out.wav", np.array([0.0, np.nan], np.float32), 24000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.txt", "missing/out.wav", "."])
def test_places_that_cannot_be_written_are_refused_beforehand(tmp_path, name):
    with pytest.raises(OutputError):
        audio.check_output(tmp_path / name)
