"""Recognisers: loaded once, the same words for the same sound, offline, and clear about what is missing."""

from __future__ import annotations

import dataclasses
import gc
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.whispers import write_whisper
from workbench.engine.asr import recogniser
from workbench.engine.asr.recogniser import best_recogniser, load_recogniser, on_this_disk
from workbench.engine.cache import import_model
from workbench.engine.catalog import list_recognisers
from workbench.engine.checks.network import watch_network
from workbench.engine.errors import ModelError, RecogniserError
from workbench.engine.loads import n_loads


def test_the_same_sound_gives_the_same_words(whisper: str, speech: np.ndarray) -> None:
    ears = load_recogniser(whisper)
    first, again = (ears.hear(speech, 24_000, language="de") for _ in range(2))
    assert first.text and (first.text, first.confidence) == (again.text, again.confidence)
    assert first.language == "de" and first.recogniser == whisper and 0 < first.confidence < 1


def test_a_wave_is_heard_as_faster_whisper_hears_it_and_again_where_it_loses_itself(
    whisper: str, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears = load_recogniser(whisper)
    asked: list[bool] = []
    transcribe = ears._model.transcribe

    def noted(sound: np.ndarray, **options: Any) -> Any:
        asked.append(options.get("without_timestamps", False))
        return transcribe(sound, **options)

    monkeypatch.setattr(ears._model, "transcribe", noted)
    for lost, passes in ((False, [False]), (True, [False, True])):
        monkeypatch.setattr(recogniser, "_is_lost", lambda segment, lost=lost: lost)
        asked.clear()
        ears.hear(speech, 24_000, language="en")
        assert asked == passes
    asked.clear()
    ears.hear(np.tile(speech, 1 + 31 * 24_000 // len(speech)), 24_000, language="en")
    assert asked == [False]  # longer sound is cut by the times


def test_a_language_that_is_not_known_is_detected(whisper: str, speech: np.ndarray) -> None:
    ears = load_recogniser(whisper)
    assert {ears.hear(speech, 24_000, language=code).language for code in ("", "tlh")} == {
        ears.hear(speech, 24_000).language
    }


def test_numbers_are_spelled_where_they_are_asked_for_as_they_are_spoken(whisper: str) -> None:
    ears = load_recogniser(whisper)
    tokens = ears._model.hf_tokenizer.get_vocab(with_added_tokens=False)
    assert {tokens[c] for c in "0123456789%$"} <= set(ears._written())
    assert not {tokens[c] for c in "abcxyz.,²³¹"} & set(ears._written())  # the last three stand for bytes


def test_it_is_loaded_once_whoever_asks(whisper: str, speech: np.ndarray) -> None:
    before = n_loads("recogniser", whisper)
    with ThreadPoolExecutor(4) as pool:
        heard = list(
            pool.map(lambda _: load_recogniser(whisper).hear(speech[:24_000], 24_000, language="en"), range(4))
        )
    assert n_loads("recogniser", whisper) == before + 1
    assert len({h.text for h in heard}) == 1


def test_another_one_takes_its_place_in_memory(whisper: str, tmp_path: Path) -> None:
    import_model(write_whisper(tmp_path / "english", english=True), name="whisper-tiny.en")
    first = weakref.ref(load_recogniser(whisper))
    assert load_recogniser("whisper-tiny.en").spec.languages == ("en",)
    gc.collect()
    assert first() is None


def test_loading_and_hearing_use_no_network(whisper: str, speech: np.ndarray) -> None:
    with watch_network() as heard:
        load_recogniser(whisper).hear(speech, 24_000)
    assert heard == []


def test_what_is_missing_is_named_with_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "find_spec", lambda name: None)
    with pytest.raises(RecogniserError) as caught:
        load_recogniser()
    said = str(caught.value)
    assert "faster-whisper is not installed and no recogniser is in the cache" in said
    assert "pip install faster-whisper" in said and "cache fetch whisper-base" in said and "\n" not in said


def test_a_model_that_speaks_does_not_listen() -> None:
    with pytest.raises(RecogniserError, match="whisper-base"):
        load_recogniser("demo-voice")
    with pytest.raises(ModelError, match=r"whisper-base"):
        load_recogniser("whisper-bse")


def test_damaged_files_are_one_line(whisper: str) -> None:
    folder = next(s.folder for s in list_recognisers() if s.name == whisper)
    assert folder is not None
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes(b"{" + b" " * (tokenizer.stat().st_size - 1))
    with pytest.raises(RecogniserError, match="cannot be loaded") as caught:
        load_recogniser(whisper)
    assert "\n" not in str(caught.value)


def test_the_largest_that_knows_the_language_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {spec.name: spec for spec in list_recognisers()}

    def best(language: str, *names: str) -> str:
        monkeypatch.setattr(recogniser, "on_this_disk", lambda: [here[name] for name in names])
        return best_recogniser(language).name

    assert best("de", "whisper-tiny", "whisper-base", "whisper-small.en") == "whisper-base"
    assert best("en", "whisper-tiny", "whisper-base.en", "whisper-base") == "whisper-base.en"
    assert best("en", "whisper-base.en", "whisper-small") == "whisper-small"
    assert best("", "whisper-tiny", "whisper-small.en") == "whisper-tiny"
    assert best("", "whisper-tiny.en") == "whisper-tiny.en"
    with pytest.raises(RecogniserError, match="'de'"):
        best("de", "whisper-tiny.en")


def test_nothing_is_on_an_empty_disk() -> None:
    assert on_this_disk() == []
    assert all(dataclasses.is_dataclass(spec) and spec.license == "MIT" for spec in list_recognisers())


@pytest.mark.slow
@pytest.mark.skipif("WORKBENCH_TEST_WHISPER" not in os.environ, reason="WORKBENCH_TEST_WHISPER names no real Whisper")
def test_a_real_one_hears_the_bundled_voices() -> None:
    from workbench.engine.speech.recordings.bundled import list_voices
    from workbench.engine.speech.voices import load_voice, make_voice

    pytest.importorskip("faster_whisper")
    import_model(os.environ["WORKBENCH_TEST_WHISPER"], name="whisper-base")
    for name in ("Nora", "multi-country"):
        voice = load_voice(name)
        filled = make_voice(next(v.path for v in list_voices() if v.name == name))
        assert [w.strip(".,").lower() for w in filled.ref_text.split()] == [
            w.strip(".,").lower() for w in voice.ref_text.split()
        ]
        assert filled.language == "en" and filled.heard_by == "whisper-base"


def test_words_have_times_within_the_sound_and_in_order(whisper: str, speech: np.ndarray) -> None:
    words = load_recogniser(whisper).words(speech, 24_000, language="en")
    assert words and all(0 <= w.start <= w.end <= 3.0 and 0 <= w.confidence <= 1 and w.text.strip() for w in words)
    assert [w.start for w in words] == sorted(w.start for w in words)
    assert words == load_recogniser(whisper).words(speech, 24_000, language="en")
