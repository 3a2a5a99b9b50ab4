"""Engines are found by the request, and another process speaks a request from its JSON alone."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import TINY_ARCH
from workbench.engine.errors import VoiceError
from workbench.engine.jobs.pool import EnginePool, load_engine
from workbench.engine.runs import store
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.requests import Remake, SpeechRequest
from workbench.engine.speech.voices import make_voice

TEXT = "The first sentence is here. The second one follows it."
QUICK = SynthesisSettings(nfe_step=3, max_chunk_bytes=40)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was loaded, by engines that hold nothing."""
    found: list[Any] = []

    def load(model: str, *, load: LoadSettings, **kwargs: Any) -> Any:
        found.append((model, load))
        dtype, backend = "fp32" if load.dtype == "auto" else load.dtype, SimpleNamespace(name="eager")
        loaded = SimpleNamespace(device="cpu", dtype=dtype, backend=backend, layer="")
        return SimpleNamespace(name=model, loaded=loaded)

    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", load)
    return found


def test_two_engines_stay_and_the_one_not_used_for_longest_goes(loads: list[Any]) -> None:
    pool = EnginePool()
    a, b = pool.engine("a"), pool.engine("b")
    assert pool.engine("a") is a and len(loads) == 2
    pool.engine("c")
    assert pool.engine_if_loaded("a") is a and pool.engine_if_loaded("b") is None
    assert pool.engine("b") is not b and len(loads) == 4


def test_every_load_option_and_folder_makes_another_engine(loads: list[Any]) -> None:
    pool = EnginePool(engines_kept=9)
    asked = [pool.engine("a"), pool.engine("a", "/folder"), pool.engine("a", random_weights=True),
             pool.engine("a", load=LoadSettings(dtype="bf16"))]  # fmt: skip
    assert len({id(engine) for engine in asked}) == 4
    # "auto" became fp32 on the CPU: whoever names these is given the same
    assert pool.engine("a", load=LoadSettings(device="cpu", dtype="fp32")) is asked[0] and len(loads) == 4


def test_a_knob_of_loading_is_a_keyword_of_load_engine(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine.speech import synthesis

    seen: list[LoadSettings] = []
    monkeypatch.setattr(synthesis, "read_models", lambda spec, load, **_: seen.append(load) or tiny_engine.loaded)
    synthesis.load_engine("demo-voice", load=LoadSettings(device="cpu"), dtype="fp32")
    load_engine("demo-voice", dtype="bf16")
    assert seen == [LoadSettings("cpu", "fp32"), LoadSettings("auto", "bf16")]


def test_a_voice_is_asked_for_by_its_id(speech: np.ndarray, tmp_path: Path) -> None:
    voice, pool = make_voice(to_bytes(speech, 24_000), "Some words.", name="me"), EnginePool()
    with pytest.raises(VoiceError):
        pool.voice(voice.ref)
    assert pool.remember(voice) is voice and pool.voice(voice.ref) is voice


def speak_from_json(lines: list[str], home: str, answer: Any) -> None:
    """What a worker does: nothing but the requests is given to it."""
    os.environ["WORKBENCH_HOME"] = home
    runs = [EnginePool().speak(SpeechRequest.from_dict(json.loads(line))) for line in lines]
    answer.send([(run.wave.tobytes(), [c.seed for c in run.chunks]) for run in runs])


def _in_another_process(*requests: SpeechRequest) -> list[tuple[bytes, list[int]]]:
    here, there = multiprocessing.Pipe()
    lines = [json.dumps(request.as_dict()) for request in requests]
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=speak_from_json, args=(lines, os.environ["WORKBENCH_HOME"], there))
    # a page that another test ran in this process may still be its main script, which a worker would run
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        worker.start()
    there.close()
    try:
        return here.recv()
    finally:
        worker.join(60)


@pytest.mark.slow
def test_another_process_speaks_a_request_and_a_remake_from_json_alone(
    tiny_folder: Path, tmp_path: Path, speech: np.ndarray
) -> None:
    from workbench.engine.cache import import_model

    described = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24_000}}
    (source := tmp_path / "source").mkdir()
    shutil.copytree(tiny_folder, source, dirs_exist_ok=True)
    (source / "config.yaml").write_text(yaml.safe_dump({"model": described}), encoding="utf-8")
    import_model(source, name="tiny")
    (upload := tmp_path / "me.wav").write_bytes(to_bytes(speech, 24_000))
    voice = make_voice(upload, "Some words are said.")
    request = SpeechRequest(TEXT, voice.ref, QUICK, "tiny", load=LoadSettings(device="cpu", dtype="fp32"))
    here = EnginePool()
    run = here.speak(request)
    store.save_run(run)
    upload.unlink()  # from here on the run alone holds the voice
    kept = store.load_run(run.id).request
    remake = kept.replace(remake=Remake(run.id, 1, seed=77))
    (wave, seeds), (remade_wave, remade_seeds) = _in_another_process(kept, remake)
    assert wave == run.wave.tobytes() and seeds == [0, 1]
    assert remade_seeds == [0, 77] and remade_wave == here.speak(remake, base=run).wave.tobytes() != wave


def test_runs_of_the_public_engine_are_saved_and_others_are_not(tiny_engine: Any, voice: Any) -> None:
    inner = tiny_engine.run(TEXT, voice, QUICK)
    assert store.list_runs() == []
    public = type(tiny_engine)(tiny_engine.loaded)
    public.keep = store.save_run
    public.run(TEXT, voice, QUICK, save=False)
    assert store.list_runs() == []
    run = public.run(TEXT, voice, QUICK)
    remade = public.remake(run, voice, 1, seed=5)
    assert {r.id for r in store.list_runs()} == {run.id, remade.id}
    assert np.array_equal(run.wave, inner.wave)


def test_a_run_that_cannot_be_saved_is_handed_over_all_the_same(
    tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    engine = type(tiny_engine)(tiny_engine.loaded)
    engine.keep = store.save_run
    monkeypatch.setattr("numpy.savez", full)
    with pytest.warns(UserWarning, match="in memory only.*No space left"):
        run = engine.run(TEXT, voice, QUICK)
    assert len(run.chunks) == 2 and store.list_runs() == []


def test_load_engine_saves(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import workbench
    from workbench.engine.speech import synthesis

    monkeypatch.setattr(synthesis, "read_models", lambda *args, **kwargs: tiny_engine.loaded)
    assert workbench.load_engine().keep is store.save_run
    assert synthesis.load_engine().keep is None  # who measures or checks something keeps nothing


def test_the_use_of_the_machine_lies_where_the_remade_chunk_does(tiny_engine: Any, voice: Any) -> None:
    pool = EnginePool()
    pool.add(tiny_engine)
    run = pool.speak(tiny_engine.request(TEXT, voice, QUICK))
    remade = pool.speak(run.request.replace(remake=Remake(run.id, 1, seed=9)), base=run)
    before = run.chunks[0].timing.total_seconds
    assert remade.utilisation and all(sample.seconds >= before for sample in remade.utilisation)
    assert dataclasses.replace(remade, utilisation=()).is_remade
