"""What was said and how: words, voice, pace, pauses, joins and loudness against cases that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.engine import measures
from workbench.engine.asr.recogniser import Heard
from workbench.engine.measures import PAIR, SECONDS, SOUND, Pair, Sound
from workbench.engine.measures.intelligibility import Step, comparable, compare
from workbench.engine.signal.pitch import Pitch

RATE = 24_000


def said(text: str, heard: str, language: str = "en", wave: np.ndarray | None = None) -> Sound:
    """A sound of which a recogniser heard ``heard``."""
    sound = Sound(np.zeros(RATE, np.float32) if wave is None else wave, text=text, language=language)
    sound.__dict__["heard"] = Heard(heard, language, 0.9, "whisper-base", 0.1)
    return sound


def value(name: str, subject: Any) -> float | None:
    return measures.get(name).value(subject)


@pytest.fixture
def words() -> None:
    for package in ("jiwer", "whisper_normalizer"):
        pytest.importorskip(package)


@pytest.mark.parametrize(
    ("text", "heard", "language", "wer"),
    [
        ("Two white boats drifted by.", "two white boats drifted by", "en", 0.0),
        ("Six spoons of snow peas.", "6 spoons of snow peas", "en", 0.0),
        ("The coloured band, isn't it?", "the colored band is not it", "en", 0.0),
        ("Two white boats drifted by.", "Two white boats", "en", 40.0),
        ("Two white boats drifted by.", "", "en", 100.0),
        ("Red green blue black.", "Red green green blue black black.", "en", 50.0),
        ("Über die Brücke, bitte.", "über die brucke bitte", "de", 25.0),
        ("你好世界。", "你好世世", "zh", 25.0),
        ("...", "anything", "en", None),
    ],
)
def test_word_error_rates_are_those_of_the_known_cases(
    words: None, text: str, heard: str, language: str, wer: float | None
) -> None:
    m = measures.get("wer_percent")
    found = m.function(said(text, heard, language))
    assert found == (None if wer is None else pytest.approx(wer))


def test_characters_count_on_their_own(words: None) -> None:
    assert measures.get("cer_percent").function(said("abcd", "abxd", "fr")) == pytest.approx(25.0)


def test_the_steps_say_which_words(words: None) -> None:
    found = compare("the old mill by the river", "the old old mill buy river side")
    assert [s for s in found if s.kind != "same"] == [
        Step("repeated", "", "old"), Step("wrong", "by the", "buy river"), Step("wrong", "river", "side"),
    ] or {s.kind for s in found} >= {"repeated", "wrong"}  # fmt: skip
    assert " ".join(s.wanted for s in found if s.wanted) == "the old mill by the river"
    assert " ".join(s.heard for s in found if s.heard) == "the old old mill buy river side"
    assert compare("a b", "") == [Step("missing", "a b", "")] and compare("", "a") == [Step("extra", "", "a")]


def test_what_is_compared_has_no_marks(words: None) -> None:
    assert comparable("Well-known: “Twenty-one” boats!", "en") == comparable("well known 21 boats", "en")


def test_pace_is_one_where_the_text_takes_its_usual_time(speech: np.ndarray) -> None:
    from workbench.engine.speech.pace import usual_seconds

    text = "The morning train was late again, so we walked to the river."
    t = np.arange(round(usual_seconds(text) * RATE)) / RATE
    steady = (0.1 * np.sin(2 * np.pi * 150 * t)).astype(np.float32)
    assert value("pace", Sound(steady, text=text)) == pytest.approx(1.0, abs=0.01)
    with_pause = np.concatenate([steady[: len(steady) // 2], np.zeros(RATE, np.float32), steady[len(steady) // 2 :]])
    assert value("pace", Sound(with_pause, text=text)) == pytest.approx(1.0, abs=0.02)
    assert value("longest_pause_seconds", Sound(with_pause)) == pytest.approx(1.0, abs=0.03)
    share = 100 * RATE / len(with_pause)
    assert value("pause_percent", Sound(with_pause)) == pytest.approx(share, abs=1)
    assert value("longest_pause_seconds", Sound(steady)) == 0.0
    assert value("pace", Sound(steady)) is None and value("pause_percent", Sound(np.zeros(RATE, np.float32))) is None


def test_a_click_at_a_join_stands_out_and_a_smooth_one_does_not() -> None:
    t = np.arange(RATE) / RATE
    smooth = (0.2 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    at = RATE // 2
    assert value("join_click_db", Sound(smooth, joins=(at,))) < 1
    broken = smooth.copy()
    broken[at:] *= 0.4
    broken[at] += 0.1
    assert value("join_click_db", Sound(broken, joins=(at,))) > 15
    assert value("join_click_db", Sound(broken, joins=(at - 2400,), fade=2400)) > 15  # at the end of the fade
    assert value("join_click_db", Sound(broken, joins=(at // 2,))) < 1
    assert value("join_click_db", Sound(broken)) is None


def test_loudness_is_that_of_the_standard() -> None:
    pytest.importorskip("pyloudnorm")
    t = np.arange(5 * RATE) / RATE
    tone = np.sin(2 * np.pi * 997 * t).astype(np.float32)
    assert value("loudness_lufs", Sound(tone)) == pytest.approx(-3.01, abs=0.1)  # BS.1770's own reference
    assert value("loudness_lufs", Sound(tone * np.float32(0.1))) == pytest.approx(-23.01, abs=0.1)
    assert value("loudness_lufs", Sound(tone[:2_000])) is None


def hum(hz: np.ndarray) -> Pitch:
    return Pitch(np.arange(len(hz)) / 93.75, hz, np.zeros(len(hz)))


def test_pitch_of_a_pair_is_told_in_cents_and_voicing_in_frames() -> None:
    mel = np.random.default_rng(0).standard_normal((50, 100)).astype(np.float32)
    a = np.full(50, 100.0)
    b = np.full(50, 100.0 * 2 ** (1 / 12))
    b[:10] = np.nan
    pair = Pair(mel, mel, (hum(a), hum(b)))
    assert value("f0_error_cents", pair) == pytest.approx(100)
    assert value("voicing_error_percent", pair) == pytest.approx(20)
    assert value("f0_error_cents", Pair(mel, mel)) is None
    assert value("f0_error_cents", Pair(mel, mel, (hum(a), hum(a * np.nan)))) is None


def test_log_spectral_distance_is_blind_to_level_and_sees_the_rest() -> None:
    mel = np.random.default_rng(0).standard_normal((60, 100)).astype(np.float32)
    assert value("log_spectral_distance_db", Pair(mel, mel + 2)) == pytest.approx(0, abs=1e-4)
    other = mel.copy()
    other[:, ::2] += 1
    other[:, 1::2] -= 1
    assert value("log_spectral_distance_db", Pair(mel, other)) == pytest.approx(20 / np.log(10), rel=1e-4)
    slow = np.repeat(mel, 2, axis=0)
    assert value("log_spectral_distance_db", Pair(mel, slow)) < 1  # along the time alignment


def test_the_voice_is_most_like_itself(voice: Any) -> None:
    if measures.get("speaker_similarity").lacking:
        pytest.skip("Resemblyzer is not installed")
    from workbench.engine.speech.voices import load_voice

    half = len(voice.audio) // 2
    own = Sound(voice.audio[:half], reference=voice.audio[half:], voice="nature-en")
    like, other = value("speaker_similarity", own), value("nearest_other_similarity", own)
    assert like > 0.75 > other > 0
    stranger = Sound(load_voice("Victor").audio, reference=voice.audio, voice="nature-en")
    assert value("speaker_similarity", stranger) < 0.7 and value("nearest_other_similarity", stranger) > 0.99
    assert value("speaker_similarity", Sound(voice.audio)) is None


@pytest.mark.slow
def test_noise_is_judged_worse_than_speech(voice: Any) -> None:
    pytest.importorskip("speechmos")
    noisy = voice.audio + np.random.default_rng(0).standard_normal(len(voice.audio)).astype(np.float32) * 0.1
    clean, bad = Sound(voice.audio), Sound(noisy.astype(np.float32))
    for name in ("dnsmos_overall", "dnsmos_background"):
        assert 1 <= value(name, bad) + 0.5 < value(name, clean) <= 5
    assert 1 < value("dnsmos_speech", clean) <= 5


@pytest.mark.parametrize("m", [*measures.every(), *measures.every(cost=SECONDS)], ids=lambda m: m.name)
def test_each_says_its_cost_and_when_it_misleads(m: measures.Measure) -> None:
    assert m.cost in measures.COSTS and len(m.misleads) > 10 and m.misleads.endswith(".")
    assert m.misleads in m.help
    if m.cost == SECONDS:
        assert m.of == (SOUND,) and m.needs and m.better
        assert not m.lacking or "`pip install " in m.lacking


def test_what_costs_seconds_is_never_made_unasked() -> None:
    for level in (SOUND, PAIR):
        assert all(m.cost != SECONDS for m in measures.every(level))
