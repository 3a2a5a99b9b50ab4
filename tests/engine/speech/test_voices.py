"""Bundled voices are complete, any recording can become a voice, and doubtful voices have warnings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.errors import AudioError, VoiceError
from workbench.engine.signal.audio import exact_bytes, read_exact, to_bytes
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice, make_voice, restore_voice


def test_every_bundled_voice_can_be_prepared():
    names = [v.name for v in list_voices()]
    assert len(names) == len(set(names)) >= 8
    for name in names:
        voice = load_voice(name)
        assert 1 < voice.seconds < 12.1
        assert voice.mel.shape == (voice.frames, 100)
        assert np.isfinite(voice.mel).all()
        assert not voice.warnings, f"{name}: {voice.warnings}"


def test_the_mel_is_upstreams(voice):
    import torch
    from f5_tts.model.modules import get_vocos_mel_spectrogram

    theirs = get_vocos_mel_spectrogram(torch.from_numpy(voice.audio * np.float32(voice.gain(0.1)))[None])[0].T.numpy()
    np.testing.assert_allclose(voice.mel, theirs, atol=1e-4)


def test_a_quiet_reference_is_raised_and_a_loud_one_left(speech):
    quiet = make_voice(to_bytes(speech * 0.1, 24000), "Hello there my friend.")
    assert quiet.gain(0.1) == pytest.approx(0.1 / quiet.rms)
    assert quiet.gain(quiet.rms / 2) == 1.0


def test_the_text_ends_in_punctuation_and_is_one_line(speech):
    assert make_voice(to_bytes(speech, 24000), " Hello \n there ").ref_text == "Hello there."
    assert make_voice(to_bytes(speech, 24000), "你好。").ref_text == "你好。"


def test_identity_depends_on_sound_and_words(speech):
    first = make_voice(to_bytes(speech, 24000), "Hello there.")
    assert first.id == make_voice(to_bytes(speech, 24000), "Hello there.", name="other").id
    assert first.id != make_voice(to_bytes(speech, 24000), "Hello here.").id


def test_missing_text_is_an_error_not_a_download(speech):
    with pytest.raises(VoiceError, match="--ref-text"):
        make_voice(to_bytes(speech, 24000), "  ")


def test_fifty_milliseconds_are_too_little(speech):
    with pytest.raises(AudioError, match="too little"):
        make_voice(to_bytes(speech[3000:4200], 24000), "Hi.")


def test_a_reference_that_is_cut_and_an_odd_pace_are_flagged(speech):
    long = make_voice(to_bytes(np.tile(speech, 6), 24000), "A text that belongs to all of the recording. " * 5)
    assert long.seconds <= 12.1
    assert any("was cut to" in w and "shorten its text" in w for w in long.warnings)
    odd = make_voice(to_bytes(speech, 24000), "Far too many words for three seconds. " * 10)
    assert any("bytes of text per second" in w for w in odd.warnings)


def test_an_unknown_voice_lists_those_there_are():
    with pytest.raises(VoiceError, match="nature-en"):
        load_voice("nobody")


def test_a_prepared_voice_comes_back_from_its_recording(tmp_path: Path, speech: np.ndarray) -> None:
    long = np.tile(speech, 5)  # 15 s: preparing it again would clip it elsewhere
    first = make_voice(to_bytes(long, 24_000), "Some words are said", name="me", language="en")
    path = tmp_path / "voice.wav"
    path.write_bytes(exact_bytes(first.audio, 24_000))
    again = restore_voice(first.ref.replace(recording=str(path)))
    assert np.array_equal(again.audio, first.audio) and (again.id, again.rms) == (first.id, first.rms)
    assert (again.name, again.ref_text, again.language) == ("me", "Some words are said.", "en")


def test_a_voice_comes_back_from_what_was_recorded_or_bundled(tmp_path: Path, speech: np.ndarray) -> None:
    path = tmp_path / "me.flac"
    path.write_bytes(to_bytes(speech, 24_000, ".flac"))
    own = make_voice(path, "Some words.")
    assert own.ref.recording == str(path) and restore_voice(own.ref).id == own.id
    bundled = load_voice("nature-en")
    assert bundled.ref.recording == "" and restore_voice(bundled.ref).id == bundled.id


def test_a_voice_is_never_another_than_the_one_that_was_asked_for(tmp_path: Path, speech: np.ndarray) -> None:
    path = tmp_path / "me.wav"
    path.write_bytes(to_bytes(speech, 24_000))
    own = make_voice(path, "Some words.")
    path.write_bytes(to_bytes(speech * np.float32(0.9), 24_000))
    with pytest.raises(VoiceError, match="have changed"):
        restore_voice(own.ref)
    with pytest.raises(VoiceError, match="have changed"):
        restore_voice(load_voice("nature-en").ref.replace(id="0" * 64))
    with pytest.raises(VoiceError, match="There is no recording"):
        restore_voice(own.ref.replace(recording="", name="nobody"))


def test_a_recording_that_was_tampered_with_is_not_taken(tmp_path: Path, speech: np.ndarray) -> None:
    path = tmp_path / "voice.wav"
    os.mkfifo(path)
    assert read_exact(path, 24_000, 13) is None  # a pipe would be read for ever
    path.unlink()
    for content in (b"", b"RIFF", to_bytes(speech, 24_000), exact_bytes(speech, 16_000)):
        path.write_bytes(content)
        assert read_exact(path, 24_000, 13) is None
    path.write_bytes(exact_bytes(np.tile(speech, 5), 24_000))
    assert read_exact(path, 24_000, 13) is None  # longer than any reference
