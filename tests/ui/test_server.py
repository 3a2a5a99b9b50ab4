"""Shared objects and served sound: one engine for concurrent requests, and sound by id alone."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import soundfile
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests import damage
from workbench.engine.catalog import imported_folder
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.ui import resources
from workbench.ui.routes import ROUTES

TEXT = "One boat is here. Two boats are there."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


def _wave(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="float32")[0]


def test_however_many_ask_the_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch, tiny_engine: Any) -> None:
    loads, gate = [], threading.Barrier(5)

    def load(*args: Any, **kwargs: Any) -> Any:
        loads.append(args)
        time.sleep(0.3)  # long enough for all to arrive
        return tiny_engine

    def ask(k: int) -> Any:
        gate.wait(10)
        return resources.engine() if k % 2 else resources.engine(resources.default_model())

    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", load)
    assert resources.engine_if_loaded() is None
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(ask, range(5)))
    assert len(loads) == 1 and all(engine is tiny_engine for engine in found)
    assert resources.engine_if_loaded() is tiny_engine


def test_two_engines_stay_in_memory_and_a_third_takes_the_place_of_the_older(
    monkeypatch: pytest.MonkeyPatch, tiny_engine: Any
) -> None:
    from workbench.engine.speech.synthesis import Engine

    loads: list[str] = []
    made: list[weakref.ref[Any]] = []

    def load(model: str, *args: Any, **kwargs: Any) -> Any:
        loads.append(model)
        engine = Engine(tiny_engine.loaded)
        made.append(weakref.ref(engine))
        return engine

    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", load)
    for model in ("one", "two", "one", "two"):
        resources.engine(model)
    assert loads == ["one", "two"]
    resources.engine("three")
    gc.collect()
    assert [engine() is not None for engine in made] == [False, True, True]
    assert resources.engine_if_loaded("one") is None and resources.engine_if_loaded("two") is not None
    assert loads == ["one", "two", "three"]  # asking loads nothing
    resources.engine("one")
    assert loads[-1] == "one"


def test_a_failed_load_is_tried_again_by_the_next(monkeypatch: pytest.MonkeyPatch, tiny_engine: Any) -> None:
    from workbench.engine.errors import WeightsError

    answers = [WeightsError("The weights are missing."), tiny_engine]

    def load(*args: Any, **kwargs: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", load)
    with pytest.raises(WeightsError):
        resources.engine()
    assert resources.engine() is tiny_engine


def test_the_preload_says_what_it_does_and_ends_ready(tiny_server: Any) -> None:
    state = resources.preload_state()
    state.doing = "not started"
    killed = imported_folder() / ".mine.part"
    killed.mkdir(parents=True)
    killed.with_name(".mine.part.owner").touch()
    resources.warm()
    assert state.is_ready and not state.error and state.seconds >= 0
    assert not list(imported_folder().iterdir()), "what a killed import left is removed"


def test_chunks_of_a_job_and_of_a_run_can_be_heard(client: TestClient, tiny_engine: Any, voice: Any) -> None:
    resources.pool().add(tiny_engine)
    job = resources.job_manager().submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
    assert job.wait(60) == "done"
    for k, result in enumerate(job.run.chunks):
        for path in (f"/api/jobs/{job.id}/{k}.wav", f"/api/runs/{job.id}/{k}.wav"):
            answer = client.get(path)
            assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
            assert np.abs(_wave(answer.content) - np.clip(result.wave, -1, 1)).max() < 1e-4
    whole = client.get(f"/api/runs/{job.id}/audio.wav")
    assert len(_wave(whole.content)) == len(job.run.wave)
    part = client.get(f"/api/runs/{job.id}/audio.wav", headers={"Range": "bytes=0-99"})
    assert part.status_code == 206 and len(part.content) == 100


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/unknown/0.wav",
        "/api/runs/..%2f..%2fetc/audio.wav",
        "/api/runs/20260101-000000-abcdef/0.wav",
        "/api/runs/20260101-000000-abcdef/audio.wav",
        "/api/runs/%00/audio.wav",
        "/api/jobs/unknown/" + "9" * 5_000 + ".wav",
        "/api/runs/20260101-000000-abcdef/" + "9" * 5_000 + ".wav",
        "/api/jobs/unknown/-1.wav",
        "/api/jobs/unknown/%D9%A3.wav",
        "/api/jobs/unknown/1e3.wav",
        "/api/runs/%F0%9F%98%80/0.wav",
        "/api/runs/" + "x" * 3_000 + "/audio.wav",
        "/fonts/..%2frouters.py",
    ],
)
def test_what_was_not_made_here_is_not_there(client: TestClient, path: str) -> None:
    for answer in (client.get(path), client.head(path)):
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/plain")


def test_a_damaged_run_is_not_there(client: TestClient, tiny_engine: Any, voice: Any) -> None:
    folder = store.save_run(run := tiny_engine.run(TEXT, voice, QUICK))
    (folder / "chunks.npz").write_bytes(b"cut short")
    assert client.get(f"/api/runs/{run.id}/0.wav").status_code == 404
    assert client.get(f"/api/runs/{run.id}/audio.wav").status_code == 200


def test_no_damage_of_a_run_is_an_error_of_the_server(client: TestClient, tiny_engine: Any, voice: Any) -> None:
    whole = store.save_run(tiny_engine.run(TEXT, voice, QUICK)).rename(store.runs_root() / "whole")
    for k, one in enumerate(
        [*damage.byte_damages(whole, "audio.wav"), *list(damage.array_damages(whole, "chunks.npz"))[::3]]
    ):
        run_id = f"20260101-000000-{k:06x}"
        damage.spoilt(whole, store.runs_root() / run_id, one)
        for path in (f"/api/runs/{run_id}/0.wav", f"/api/runs/{run_id}/audio.wav"):
            answer = client.get(path)
            assert answer.status_code in (200, 404), one.name
            assert answer.status_code == 404 or answer.content[:4] == b"RIFF", one.name
        store.delete_run(run_id)


@pytest.mark.parametrize(
    ("wanted", "status", "length"),
    [
        ("bytes=0-99", 206, 100), ("bytes=-10", 206, 10), ("bytes=", 400, None), ("bytes=x-y", 400, None),
        ("bytes=9999999999-", 416, None), ("lines=1-2", 400, None), ("bytes=5-2", 400, None),
        ("bytes=" + "9" * 5_000 + "-", None, None),
    ],
)  # fmt: skip
def test_ranges_of_a_sound(
    client: TestClient, tiny_engine: Any, voice: Any, wanted: str, status: int | None, length: int | None
) -> None:
    run = tiny_engine.run(TEXT, voice, QUICK)
    store.save_run(run)
    path = f"/api/runs/{run.id}/audio.wav"
    answer = client.get(path, headers={"Range": wanted})
    assert answer.status_code == status or (status is None and answer.status_code in (200, 400, 416))
    assert length is None or len(answer.content) == length
    head = client.head(path)
    assert head.status_code == 200 and not head.content and int(head.headers["content-length"]) > 1000


def test_fonts_and_their_licences_are_served(client: TestClient) -> None:
    assert client.get("/fonts/inter-latin-wght-normal.woff2").content[:4] == b"wOF2"
    assert "SIL Open Font License" in client.get("/fonts/LICENSE-Inter.txt").text
