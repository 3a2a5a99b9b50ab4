"""A sweep over chunk sizes is found again by its request, speaks only what is missing, and keeps an own voice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import make_voice
from workbench.engine.sweeps import find_sweep, sizes
from workbench.engine.sweeps.executors.local import Local

TEXT = "One boat is here. Two boats are there. Three boats went by."


@pytest.fixture
def pool(tiny_engine: Any, tiny_home: Any, monkeypatch: pytest.MonkeyPatch) -> EnginePool:
    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", lambda *args, **kwargs: tiny_engine)
    return EnginePool()


def request(voice: Any, **changes: Any) -> SpeechRequest:
    settings = SynthesisSettings(nfe_step=2, sway_sampling_coef=None, seed=5, **changes)
    return SpeechRequest(TEXT, voice.ref, settings, "tiny", load=LoadSettings(dtype="fp32"), reuse=True, profile=True)


def test_only_what_is_missing_is_spoken_and_another_process_finds_it(pool: EnginePool, voice: Any) -> None:
    first = sizes.sweep_of(request(voice, max_chunk_bytes=99), voice, [20, 40])
    assert len(first.missing()) == 2 and not first.folder.exists()
    first.run(Local(pool=pool))
    again = sizes.sweep_of(request(voice, max_chunk_bytes=None), voice, [40, 60])
    assert again.folder == first.folder and [t.values["max_chunk_bytes"] for t in again.missing()] == [60]
    rows = again.run(Local(pool=pool))
    assert [row["max_chunk_bytes"] for row in rows] == [20, 40, 60] and not any(row["error"] for row in rows)
    found = find_sweep(again.grid.name)
    assert {t.id for t in found.trials} == {t.id for t in again.trials} and found.missing() == []
    runs = [store.load_run(row["run"]) for row in rows]
    assert {run.request.settings.seed for run in runs} == {5} and not any(run.n_reused for run in runs)
    assert {run.settings.sway_sampling_coef for run in runs} == {None}


def test_other_words_or_settings_are_another_sweep(voice: Any) -> None:
    name = sizes.name_of(request(voice))
    assert name == sizes.name_of(request(voice, max_chunk_bytes=77))
    assert name != sizes.name_of(request(voice, speed=1.5))
    assert name != sizes.name_of(request(voice).replace(text="Other."))


def test_a_voice_of_no_name_is_kept_with_the_sweep(pool: EnginePool, speech: np.ndarray) -> None:
    own = make_voice(to_bytes(speech, 24_000), "Some words are said in it.", name="me")
    assert not sizes.is_known(own)
    made = sizes.sweep_of(request(own), own, [30])
    made.run(Local(pool=pool))
    found = find_sweep(made.grid.name)
    assert [t.id for t in found.trials] == [t.id for t in made.trials] and found.missing() == []
    (run,) = store.list_runs()
    assert store.load_run(run.id).voice_id == own.id
