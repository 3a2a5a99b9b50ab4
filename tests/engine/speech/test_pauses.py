"""Pauses in a run are exact to the sample: in wave, mel, spans, TextGrid, CSV, on disk, and in a remade run."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import Any

import numpy as np
import pytest

from workbench.engine.runs import exports, store
from workbench.engine.runs.exports.textgrid import chunk_intervals
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.joining import cross_fade
from workbench.engine.speech.text import text_of

TEXT = '[pause 0.25s] One boat is here. <break time="700ms"/> Two boats are there. [pause 1.5s]'
QUICK = SynthesisSettings(nfe_step=2)


@pytest.fixture(scope="module")
def run(tiny_engine: Any) -> Any:
    from workbench.engine.speech.voices import load_voice

    return tiny_engine.run(TEXT, load_voice("nature-en"), QUICK)


def test_silence_is_exact_to_the_sample_and_the_speech_beside_it_is_whole(run: Any) -> None:
    rate, (first, second) = run.sample_rate, (c.wave for c in run.chunks)
    lead, middle, tail = round(0.25 * rate), round(0.7 * rate), round(1.5 * rate)
    assert run.starts == [lead, lead + len(first) + middle]
    parts = [np.zeros(lead), first, np.zeros(middle), second, np.zeros(tail)]
    assert np.array_equal(run.wave, np.concatenate(parts).astype(np.float32))
    assert len(run.mel) == run.mel_config.frames_of(len(run.wave))
    hop = run.mel_config.hop_length
    gap = run.mel[(lead + len(first)) // hop + 2 : run.starts[1] // hop - 1]
    assert len(gap) > 50 and np.allclose(gap, np.log(1e-5))


def test_waves_without_silence_between_are_faded_as_ever() -> None:
    ones = [np.ones(100, np.float32)] * 3
    plain, starts = cross_fade(ones, 20)
    same, same_starts = cross_fade(ones, 20, [0, 0, 0, 0])
    assert np.array_equal(plain, same) and starts == same_starts == [0, 80, 160]
    mixed, mixed_starts = cross_fade(ones, 20, [0, 0, 7, 0])
    assert mixed_starts == [0, 80, 187] and len(mixed) == 287 and not mixed[180:187].any()


def test_a_pause_is_an_interval_without_words(run: Any) -> None:
    intervals = chunk_intervals(run)
    assert [text for _, _, text in intervals] == ["", "One boat is here.", "", "Two boats are there.", ""]
    assert [round(high - low, 6) for low, high, text in intervals if not text] == [0.25, 0.7, 1.5]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(intervals))
    assert intervals[-1][1] == pytest.approx(run.audio_seconds)
    assert "intervals: size = 5" in exports.get("textgrid").make(run).decode()


def test_pauses_are_in_csv_json_and_spans(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(exports.get("csv").make(run).decode())))
    assert [float(row["pause_seconds"]) for row in rows] == [0.7, 1.5]
    chunks = json.loads(json.dumps(run.as_dict()))["chunks"]
    assert [(c["lead_seconds"], c["pause_seconds"]) for c in chunks] == [(0.25, 0.7), (0.0, 1.5)]
    assert [s.chunk_index for s in run.spans if s.name == "pause"] == [0, 1]


def test_a_saved_run_keeps_its_pauses(run: Any) -> None:
    store.save_run(run)
    again = store.load_run(run.id)
    assert [c.chunk for c in again.chunks] == [c.chunk for c in run.chunks]
    assert np.array_equal(again.wave, run.wave) and again.text == TEXT


def test_a_remade_chunk_keeps_the_pauses_around_it(run: Any, tiny_engine: Any, voice: Any) -> None:
    remade = tiny_engine.remake(run, voice, 0, text="One ship is 22 years old.")
    assert [(c.chunk.lead_seconds, c.chunk.pause_seconds) for c in remade.chunks] == [(0.25, 0.7), (0.0, 1.5)]
    assert remade.chunks[0].chunk.text == "One ship is twenty-two years old."
    assert remade.text == "[pause 0.25s] One ship is 22 years old. [pause 0.7s] Two boats are there. [pause 1.5s]"
    assert remade.text == text_of([c.chunk for c in remade.chunks])
