"""A saved run spoken again from its folder is exactly the same, or the differences are named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import VoiceError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.rerun import rerun
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.voices import make_voice

TEXT = "The first sentence is here. The second one follows it."
QUICK = SynthesisSettings(nfe_step=3, max_chunk_bytes=40)


def _pool_of(engine: Any) -> EnginePool:
    found = EnginePool()
    found.add(engine)
    return found


@pytest.fixture
def pool(tiny_engine: Any) -> EnginePool:
    """Engines of a process that has seen no voice."""
    return _pool_of(tiny_engine)


@pytest.fixture
def own(tiny_engine: Any, speech: np.ndarray) -> Any:
    """A run by a voice that came in memory and is nowhere else."""
    return tiny_engine.run(TEXT, make_voice(to_bytes(speech, 24_000), "Some words.", name="me"), QUICK)


def test_a_run_with_an_own_voice_is_spoken_again_from_its_folder(pool: EnginePool, own: Any) -> None:
    store.save_run(own)
    found = rerun(own.id, pool=pool)
    assert found.same and len(found.chunks) == 2 and found.differs == () and found.unknown_settings == ()
    assert json.loads(json.dumps(found.as_dict()))["same"] is True


def test_a_remade_run_is_spoken_again_without_the_run_it_came_from(
    pool: EnginePool, own: Any, tiny_engine: Any
) -> None:
    store.save_run(own)
    voice = pool.voice(store.load_run(own.id).request.voice)
    other = tiny_engine.remake(own, voice, 0, text="Quite other words now.")
    last = tiny_engine.remake(other, voice, 1, seed=44)
    store.save_run(last)
    store.delete_run(own.id)
    assert rerun(last.id, pool=_pool_of(tiny_engine)).same


def test_another_wave_says_what_differs(pool: EnginePool, own: Any) -> None:
    wave = own.chunks[1].wave.copy()
    wave[100] += np.float32(0.25)
    chunks = (own.chunks[0], dataclasses.replace(own.chunks[1], wave=wave))
    then = own.environment | {"torch": "1.0", "threads": "64"}
    changed = dataclasses.replace(
        own, chunks=chunks, environment=then, dtype="bf16", weights={"acoustic": "a" * 64, "vocoder": ""}
    )
    changed.__dict__.pop("wave", None)
    store.save_run(changed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "engine_for", lambda request: next(iter(pool._engines.values())))
        patch.setitem(pool.engine_for(None).loaded.weights, "acoustic", "b" * 64)
        found = rerun(own.id, pool=pool)
    assert not found.same and [c["same"] for c in found.chunks] == [True, False]
    assert found.chunks[1]["largest_difference"] == pytest.approx(0.25, abs=1e-3)
    assert {one.what: one.then for one in found.differs} == {
        "number format": "bf16", "threads": "64", "torch": "1.0", "acoustic weights": "a" * 64,
    }  # fmt: skip
    assert found.unrecorded == ("vocoder weights",)


def test_a_run_without_its_recording_asks_for_it(
    pool: EnginePool, tiny_engine: Any, speech: np.ndarray, tmp_path: Path
) -> None:
    (upload := tmp_path / "me.wav").write_bytes(to_bytes(speech, 24_000))
    run = tiny_engine.run(TEXT, make_voice(upload, "Some words."), QUICK)
    (store.save_run(run) / "reference.wav").unlink()  # as an older program left it
    with pytest.raises(VoiceError, match="There is no recording"):
        rerun(run.id, pool=pool)
    assert rerun(run.id, pool=pool, ref_audio=upload).same


def test_an_old_run_without_a_backend_was_eager_and_is_spoken_so_again(own: Any, tiny_engine: Any) -> None:
    """Also where its request says nothing of a backend: the bytes of eager are asked for."""
    folder = store.save_run(own)
    document = json.loads((folder / "run.json").read_text())
    del document["environment"]["backend"], document["request"]["load"]["backend"]
    (folder / "run.json").write_text(json.dumps(document))
    assert store.load_run(own.id).environment["backend"] == "eager"
    asked: list[Any] = []
    pool = _pool_of(tiny_engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "engine_for", lambda request: asked.append(request.load) or tiny_engine)
        rerun(own.id, pool=pool)
    assert asked[0].backend == "eager"


@pytest.mark.parametrize(("then", "named"), [("graph", False), ("eager", False), ("lean", True), ("another", True)])
def test_a_backend_is_named_where_it_gives_other_samples(own: Any, pool: EnginePool, then: str, named: bool) -> None:
    store.save_run(dataclasses.replace(own, environment=own.environment | {"backend": then}))
    with pytest.MonkeyPatch.context() as patch:
        engine = next(iter(pool._engines.values()))
        patch.setattr(pool, "engine_for", lambda request: engine)
        patch.setattr(type(engine.loaded.backend), "recorded", "eager")
        found = rerun(own.id, pool=pool)
    assert [one.then for one in found.differs if one.what == "backend"] == ([then] if named else [])
    assert "backend" not in found.unrecorded


def test_a_remake_by_another_backend_says_so(own: Any, pool: EnginePool, tiny_engine: Any) -> None:
    store.save_run(own)
    voice = pool.voice(store.load_run(own.id).request.voice)
    base = dataclasses.replace(own, environment=own.environment | {"backend": "lean of old"})
    made = tiny_engine.remake(base, voice, 0, seed=5)
    assert made.environment["backend"] == f"lean of old + {tiny_engine.loaded.backend.recorded}"
    assert tiny_engine.remake(own, voice, 0, seed=5).environment["backend"] == own.environment["backend"]
