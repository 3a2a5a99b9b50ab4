"""The engine: one code path for one chunk and many; the same seed gives the same bytes; one load."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from workbench.engine.errors import SettingsError, TextError, VoiceError
from workbench.engine.model import sampling
from workbench.engine.model.loading import load_counts
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.voices import make_voice
from workbench.engine.timing import Span, Timeline, rtf, total

SENTENCES = ("The first one is here. ", "And then a second follows it! ", "Is there a third? ", "Yes, and a fourth. ")
FAST = SynthesisSettings(nfe_step=2, max_chunk_bytes=40)


def text_of(n_chunks: int) -> str:
    return "".join(SENTENCES[k % len(SENTENCES)] + "Some more words, to fill it. " for k in range(n_chunks))


@pytest.fixture(scope="module")
def run(tiny_engine, voice):
    return tiny_engine.run(text_of(3), voice, FAST)


def test_the_same_seed_gives_the_same_bytes(tiny_engine, voice, run):
    assert np.array_equal(tiny_engine.run(text_of(3), voice, FAST).wave, run.wave)
    assert not np.array_equal(tiny_engine.run(text_of(3), voice, FAST.replace(seed=1)).wave, run.wave)


def test_a_chunk_sounds_the_same_alone_and_within_the_run(tiny_engine, voice, run):
    for result in run.chunks:
        (alone,) = tiny_engine.synthesize("", voice, FAST, chunks=[result.chunk])
        assert np.array_equal(alone.wave, result.wave)
        assert np.array_equal(alone.mel, result.mel)


@pytest.mark.parametrize("n_chunks", [1, 5, 40])
def test_models_are_loaded_once_however_many_chunks(tiny_engine, voice, n_chunks):
    settings = SynthesisSettings(nfe_step=1, max_chunk_bytes=60)
    before = load_counts("tiny")
    found = tiny_engine.run("A sentence of some fifty bytes stands right here, ok. " * n_chunks, voice, settings)
    assert len(found.chunks) == n_chunks
    assert load_counts("tiny") == found.loads == before


def test_two_threads_share_an_engine_without_mixing_texts(tiny_engine, voice):
    """Upstream 1.1.18 ran chunks in threads over one cached text embedding and spoke the wrong text, or crashed."""
    texts = ["Short words here.", "A good deal longer than the other one, so the shapes differ."] * 3
    expected = [tiny_engine.run(t, voice, FAST).wave for t in texts]
    found: list = [None] * len(texts)

    def speak(k):
        found[k] = tiny_engine.run(texts[k], voice, FAST).wave

    threads = [threading.Thread(target=speak, args=(k,)) for k in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_the_mel_ends_where_the_audio_ends(run):
    """Upstream concatenates the chunks' mels, which end later than the audio by one cross-fade a chunk."""
    assert len(run.mel) == len(run.wave) // 256 + 1
    assert run.starts[0] == 0
    assert all(s % 1 == 0 for s in run.starts)
    first = run.chunks[0]
    inside = run.starts[1] // 256 - 1
    np.testing.assert_allclose(run.mel[:inside], np.maximum(first.mel[:inside], np.log(1e-5)), atol=1e-4)


def test_spans_account_for_the_run(run):
    own = [
        s
        for s in run.spans
        if s.start_seconds >= 0 and s.name in ("text", "ode", "vocoder", "cross_fade", "reference_mel")
    ]
    assert sum(s.seconds for s in own) == pytest.approx(run.total_seconds, rel=0.1)
    for result in run.chunks:
        index = result.chunk.index
        steps = total(run.spans, "ode.step", index)
        assert steps <= total(run.spans, "ode", index) + 1e-6
        timing = result.timing
        assert timing.text_seconds + timing.ode_seconds + timing.vocoder_seconds == pytest.approx(timing.total_seconds)
    assert 0 < run.time_to_first_audio_seconds < run.total_seconds
    assert {s.name for s in run.spans if s.start_seconds < 0} >= {
        "import",
        "read_weights",
        "build",
        "to_device",
        "warmup",
    }


def test_the_reference_is_prepared_once(tiny_engine, speech):
    from workbench.engine.signal.audio import to_bytes
    from workbench.engine.speech.voices import make_voice

    fresh = make_voice(to_bytes(speech * 0.7, 24000), "Nothing but a hum of three seconds.")
    first = tiny_engine.run(text_of(2), fresh, FAST)
    again = tiny_engine.run(text_of(1), fresh, FAST)
    assert sum(s.name == "reference_mel" for s in first.spans) == 1
    assert not any(s.name == "reference_mel" for s in again.spans)


def test_speech_comes_out_at_the_level_of_the_reference(tiny_engine, speech):
    from workbench.engine.signal.audio import rms, to_bytes
    from workbench.engine.speech.voices import make_voice

    loud = make_voice(to_bytes(speech, 24000), "A hum of three seconds.")
    quiet = make_voice(to_bytes(speech * 0.2, 24000), "A hum of three seconds.")
    ratio = rms(tiny_engine.run("Hello there, friend.", loud, FAST).wave) / rms(
        tiny_engine.run("Hello there, friend.", quiet, FAST).wave
    )
    assert ratio == pytest.approx(loud.rms / quiet.rms, rel=0.1)


def test_progress_reports_every_step_of_every_chunk(tiny_engine, voice):
    seen = []
    tiny_engine.run(text_of(2), voice, FAST, on_step=lambda p: seen.append((p.chunk_index, p.step)))
    n = len({chunk for chunk, _ in seen})
    assert seen == [(c, s) for c in range(n) for s in range(3)]


def test_a_chunk_is_remade_alone_and_spliced_in(tiny_engine, voice, run):
    other = tiny_engine.remake(run, voice, 1, seed=99)
    assert np.array_equal(other.chunks[0].wave, run.chunks[0].wave)
    assert np.array_equal(other.chunks[2].wave, run.chunks[2].wave)
    assert not np.array_equal(other.chunks[1].wave, run.chunks[1].wave)
    words = tiny_engine.remake(run, voice, 1, text="Quite other words now.")
    assert words.chunks[1].chunk.text == "Quite other words now."
    assert "Quite other words now." in words.text
    assert len(words.wave) != len(run.wave)


def test_remaking_what_is_not_there_is_refused(tiny_engine, voice, run, speech):
    from workbench.engine.signal.audio import to_bytes
    from workbench.engine.speech.voices import make_voice

    with pytest.raises(SettingsError, match="no chunk 78"):
        tiny_engine.remake(run, voice, 77)
    with pytest.raises(VoiceError):
        tiny_engine.remake(run, make_voice(to_bytes(speech, 24000), "Hm."), 0)


def test_what_the_vocabulary_lacks_is_refused_before_any_work(tiny_engine, voice):
    with pytest.raises(TextError, match="U\\+2603"):
        list(tiny_engine.synthesize("A snowman ☃ stands here.", voice, FAST))


def test_spans_of_a_timeline_are_kept_also_when_the_block_raises():
    timeline = Timeline()
    with pytest.raises(ValueError), timeline.span("ode", 3):
        raise ValueError
    assert [(s.name, s.chunk_index) for s in timeline.spans] == [("ode", 3)]
    assert timeline.spans[0].seconds >= 0


def test_real_time_factor_is_processing_over_audio():
    assert rtf(2.0, 4.0) == 0.5
    assert rtf(1.0, 0.0) == float("inf")
    assert total([Span("a", 0, 1.0, 0), Span("a", 1, 2.0, 1), Span("b", 3, 9.0)], "a") == 3.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"nfe_step": 0},
        {"nfe_step": 2.5},
        {"speed": 9.0},
        {"cfg_strength": float("nan")},
        {"ode_method": "magic"},
        {"max_chunk_bytes": 3},
        {"seed": -1},
        {"use_epss": "yes"},
        {"nfe_step": None},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_settings_out_of_range_name_the_knob(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SynthesisSettings().replace(**wrong)


def test_zero_is_a_value_like_any_other():
    chosen = SynthesisSettings(cfg_strength=0, cross_fade_duration=0, sway_sampling_coef=0)
    assert (chosen.cfg_strength, chosen.cross_fade_duration, chosen.sway_sampling_coef) == (0, 0, 0)


def test_two_chunks_are_never_in_the_model_together(tiny_engine, voice, monkeypatch):
    inside, most, gate = [0], [0], threading.Lock()

    def solve(*args, **kwargs):
        with gate:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.002)
        try:
            return sampling.solve(*args, **kwargs)
        finally:
            with gate:
                inside[0] -= 1

    monkeypatch.setattr("workbench.engine.speech.speaker.solve", solve)
    threads = [threading.Thread(target=tiny_engine.run, args=(text_of(2), voice, FAST)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most[0] == 1


def test_the_level_of_the_reference_is_part_of_what_is_cached(tiny_engine, speech):
    quiet = make_voice(to_bytes(speech * 0.2, 24000), "A hum of three seconds.")
    usual = tiny_engine.run("Hello there, friend.", quiet, FAST).chunks[0].mel
    lower = tiny_engine.run("Hello there, friend.", quiet, FAST.replace(target_rms=0.05)).chunks[0].mel
    assert not np.array_equal(usual, lower)


def test_the_number_of_threads_is_recorded(run):
    """The last bits depend on it: sums are added up in another order."""
    import torch

    assert run.environment["threads"] == str(torch.get_num_threads())


def test_the_times_of_a_remade_run_are_those_of_all_its_chunks(tiny_engine, voice, run):
    other = tiny_engine.remake(run, voice, 1, seed=99)
    spent = [c.timing.total_seconds for c in other.chunks]
    assert other.is_remade and not run.is_remade
    assert other.total_seconds >= sum(spent) == pytest.approx(other.total_seconds, rel=0.2)
    assert other.time_to_first_audio_seconds == spent[0]
    ends = [max(s.end_seconds for s in other.spans if s.chunk_index == k) for k in range(len(other.chunks))]
    assert ends == pytest.approx(np.cumsum(spent), rel=1e-3)  # end to end on one axis


def test_a_run_holds_its_request_its_voice_and_the_weights(tiny_engine, voice, run):
    assert run.request == tiny_engine.request(run.text, voice, FAST)
    assert (run.model, run.voice_id, run.settings) == ("tiny", voice.id, FAST)
    assert run.reference is voice.audio and set(run.weights) == {"acoustic", "vocoder", "layer"}
