"""The words of a reference that nobody wrote: filled in, said, kept with the run; or what is missing is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from workbench.engine.asr.recogniser import Heard
from workbench.engine.errors import RecogniserError, VoiceError
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings import dictation
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.voices import make_voice, restore_voice


class Ears:
    """Hears what it was told, and remembers what it was asked."""

    def __init__(self, text: str = "Hello there my friend", confidence: float = 0.9) -> None:
        self.text, self.confidence, self.asked = text, confidence, []

    def hear(self, wave: np.ndarray, rate: int, **options: Any) -> Heard:
        self.asked.append((wave, rate, options))
        return Heard(self.text, options["language"] or "en", self.confidence, "whisper-base", 0.1)


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    found = Ears()
    monkeypatch.setattr(dictation, "load_recogniser", lambda language: found)
    return found


def test_words_are_filled_in_and_said(ears: Ears, speech: np.ndarray) -> None:
    voice = make_voice(to_bytes(speech, 24_000), name="me")
    assert (voice.ref_text, voice.heard_by, voice.language) == ("Hello there my friend.", "whisper-base", "en")
    assert any("whisper-base" in w and "Hello there my friend" in w and "check" in w for w in voice.warnings)
    wave, rate, options = ears.asked[0]
    assert np.array_equal(wave, voice.audio) and rate == 24_000  # the very part that the model will hear
    assert options["spelled"]


def test_the_same_words_by_hand_are_the_same_voice(ears: Ears, speech: np.ndarray) -> None:
    written = make_voice(to_bytes(speech, 24_000), "Hello there my friend.")
    assert make_voice(to_bytes(speech, 24_000)).id == written.id and not written.heard_by
    assert len(ears.asked) == 1


def test_a_long_recording_is_heard_as_it_is_clipped(ears: Ears, speech: np.ndarray) -> None:
    ears.text = (
        "One two three four five six seven eight nine ten eleven twelve thirteen and fourteen more words to say it"
    )
    voice = make_voice(to_bytes(np.tile(speech, 6), 24_000))
    assert len(ears.asked[0][0]) == len(voice.audio) < 13 * 24_000
    assert not any("shorten its text" in w for w in voice.warnings)  # its text is of this part already


def test_doubtful_words_say_so(ears: Ears, speech: np.ndarray) -> None:
    ears.confidence = 0.2
    assert any("unsure" in w and "0.20" in w for w in make_voice(to_bytes(speech, 24_000)).warnings)


@pytest.mark.parametrize("text", ["", " ", "...", "♪♪"])
def test_no_words_are_an_error(ears: Ears, speech: np.ndarray, text: str) -> None:
    ears.text = text
    with pytest.raises(VoiceError, match="hears no words"):
        make_voice(to_bytes(speech, 24_000))


def test_the_language_that_is_known_is_passed_on(ears: Ears, speech: np.ndarray) -> None:
    assert make_voice(to_bytes(speech, 24_000), language="de").language == "de"
    assert ears.asked[0][2]["language"] == "de"


def test_without_a_recogniser_both_ways_out_are_named(speech: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(language: str) -> Ears:
        raise RecogniserError("Nothing here can listen.", remedy="Run `cache fetch whisper-base`.")

    monkeypatch.setattr(dictation, "load_recogniser", missing)
    with pytest.raises(VoiceError, match="--ref-text") as caught:
        make_voice(to_bytes(speech, 24_000), name="me")
    assert "cache fetch whisper-base" in str(caught.value) and "'me'" in str(caught.value)


def test_who_filled_them_in_travels_with_the_request(ears: Ears, speech: np.ndarray, tmp_path: Any) -> None:
    path = tmp_path / "me.wav"
    path.write_bytes(to_bytes(speech, 24_000))
    voice = make_voice(path)
    kept = VoiceRef.from_dict(voice.ref.as_dict())
    assert kept.heard_by == "whisper-base" and kept.ref_text == "Hello there my friend."
    again = restore_voice(kept)
    assert (again.id, again.heard_by) == (voice.id, "whisper-base") and len(ears.asked) == 1
    old = {k: v for k, v in voice.ref.as_dict().items() if k != "heard_by"}  # as older runs have it
    assert VoiceRef.from_dict(old) == dataclasses.replace(voice.ref, heard_by="")
