"""A run of any length is kept while it is made: what was stopped can be heard and exported, and goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import Cancelled, RunError
from workbench.engine.jobs.queue import CANCELLED, DONE, JobManager
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import exports, store
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.takes import choosing
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import ChunkResult

TEXT = "One boat is here. Two boats are there. [pause 0.3s] Three more came. Four went away."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20, keep_trajectory=True)


@pytest.fixture
def request_(tiny_engine: Any, voice: Any) -> Any:
    return tiny_engine.request(TEXT, voice, QUICK)


@pytest.fixture(scope="module")
def whole(tiny_engine: Any, voice: Any) -> Any:
    run = tiny_engine.fulfil(tiny_engine.request(TEXT, voice, QUICK), voice)
    assert len(run.chunks) == 4
    return run


def stop_at(chunk: int) -> Any:
    def on_step(progress: Any) -> None:
        if progress.chunk_index == chunk:
            raise Cancelled

    return on_step


def stopped(pool: Any, request: Any, chunk: int, run_id: str = "20260101-000000-abcdef") -> str:
    with pytest.raises(Cancelled):
        pool.speak(request, on_step=stop_at(chunk), run_id=run_id, keep_all=True)
    return run_id


def test_what_was_stopped_can_be_heard_and_exported(pool: Any, request_: Any, whole: Any, tmp_path: Path) -> None:
    run_id = stopped(pool, request_, 2)
    (left,) = unfinished.every()
    assert (left.id, left.n_done, left.n_chunks, left.problem) == (run_id, 2, 4, "")
    run = store.load_run(run_id)
    assert (run.id, len(run.chunks), run.n_planned, run.text) == (run_id, 2, 4, TEXT)
    for made, wanted in zip(run.chunks, whole.chunks, strict=False):
        assert np.array_equal(made.wave, wanted.wave) and np.array_equal(made.mel, wanted.mel)
        assert made.trajectory is not None
    silence = round(0.3 * run.sample_rate)  # the pause after the last of them
    assert run.n_samples == whole.starts[2] and not run.wave[-silence:].any()
    assert np.array_equal(run.wave, whole.wave[: whole.starts[2]]) and run.reference is not None
    assert run.total_seconds == pytest.approx(sum(c.timing.total_seconds for c in run.chunks), abs=1e-4)
    assert store.read_document(run_id)["audio_seconds"] == run.audio_seconds
    assert np.array_equal(store.load_wave(run_id, 1)[0], whole.chunks[1].wave)
    for found in exports.every():
        found.write(run, path := tmp_path / f"x{found.suffix}")
        assert path.stat().st_size > 100
    with pytest.raises(RunError, match="no chunk 3"):
        store.load_wave(run_id, 2)
    assert store.list_runs() == [] and store.kept_bytes(run_id) > 0


def test_it_goes_on_under_its_id_and_is_the_same(pool: Any, request_: Any, whole: Any) -> None:
    run_id = stopped(pool, request_, 2)
    made = set()
    run = pool.speak(
        unfinished.request_of(run_id), on_step=lambda at: made.add(at.chunk_index), run_id=run_id, keep_all=True
    )
    assert made == {2, 3} and all(type(chunk) is ChunkResult for chunk in run.chunks)
    store.save_run(run)
    back = store.load_run(run_id)
    assert np.array_equal(back.wave, whole.wave) and back.n_planned == 0 and unfinished.every() == []
    assert run.total_seconds >= sum(c.timing.total_seconds for c in run.chunks) - 1e-6  # of all, also those before
    assert back.chunks[0].trajectory is not None
    with pytest.raises(RunError, match="is finished"):
        unfinished.request_of(run_id)


def test_the_same_text_spoken_once_more_is_made_once_more(pool: Any, request_: Any) -> None:
    stopped(pool, request_, 2)
    made = set()
    pool.speak(request_, on_step=lambda at: made.add(at.chunk_index), run_id="20260101-000001-abcdef", keep_all=True)
    assert made == {0, 1, 2, 3}


@pytest.mark.parametrize("text", [TEXT, "Only one."])
def test_nothing_stays_where_no_chunk_is_finished(pool: Any, request_: Any, text: str) -> None:
    stopped(pool, request_.replace(text=text), 0)
    assert unfinished.every() == [] and list(store.runs_root().glob("*")) == []


def test_a_cancelled_job_is_an_unfinished_run_that_goes_on(pool: Any, request_: Any, whole: Any) -> None:
    manager = JobManager(pool)
    job = SpeechJob(request_)
    told = job._on_chunk

    def on_chunk(result: Any) -> None:
        told(result)
        if result.chunk.index == 1:
            job.cancel()

    job._on_chunk = on_chunk  # type: ignore[method-assign]
    assert manager.submit(job).wait(60) == CANCELLED and len(job.chunks) == 2
    assert len(store.load_run(job.id).chunks) == 2
    again = manager.submit(SpeechJob(unfinished.request_of(job.id), run_id=job.id))
    assert again.wait(60) == DONE and again.id == job.id and manager.get(job.id) is again
    assert np.array_equal(store.load_run(job.id).wave, whole.wave) and len(again.chunks) == 4


def test_a_full_disk_costs_only_what_is_kept_before_the_end(
    pool: Any, request_: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.engine.runs.parts.stored.write_whole", full)
    run = pool.speak(request_, run_id="20260101-000000-abcdef", keep_all=True)
    assert np.array_equal(run.wave, whole.wave)
    monkeypatch.setattr("workbench.engine.runs.parts.making.write_json", full)
    assert np.array_equal(pool.speak(request_, run_id="20260101-000001-abcdef", keep_all=True).wave, whole.wave)


def test_an_unfinished_run_takes_no_takes(pool: Any, request_: Any) -> None:
    run_id = stopped(pool, request_, 2)
    for act in (lambda: choosing.takes_of(run_id), lambda: choosing.undo(run_id), lambda: store.annotate(run_id, "x")):
        with pytest.raises(RunError, match="not finished"):
            act()


def test_a_damaged_part_ends_what_can_be_heard(pool: Any, request_: Any, whole: Any) -> None:
    run_id = stopped(pool, request_, 3)
    (unfinished.folder_of(run_id) / "parts" / "00001.npz").unlink()
    assert len(store.load_run(run_id).chunks) == 1
    (unfinished.folder_of(run_id) / "parts" / "00000.npz").unlink()
    with pytest.raises(RunError, match="no chunk is finished"):
        store.load_run(run_id)
    run = pool.speak(unfinished.request_of(run_id), run_id=run_id, keep_all=True)
    assert np.array_equal(run.wave, whole.wave)


# Chunks that fail ----------------------------------------------------------------------------------------------------


@pytest.fixture
def breaks(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> dict[int, Exception | None]:
    """Chunks that fail, with the error; None: their samples are no numbers."""
    wanted: dict[int, Exception | None] = {}
    real = tiny_engine._speak

    def speak(chunk: Any, *args: Any) -> Any:
        error = wanted.get(chunk.index, 0)
        if isinstance(error, Exception):
            raise error
        result = real(chunk, *args)
        return dataclasses.replace(result, wave=np.full_like(result.wave, np.nan)) if error is None else result

    monkeypatch.setattr(tiny_engine, "_speak", speak)
    return wanted


def test_a_chunk_that_fails_is_silence_and_the_others_are_made(
    pool: Any, request_: Any, whole: Any, breaks: dict[int, Any]
) -> None:
    breaks |= {1: RuntimeError("the device is gone"), 2: None}
    run = pool.speak(request_, skip_failed=True, keep_all=True)
    store.save_run(run)
    for found in (run, store.load_run(run.id)):
        assert found.failed == [1, 2]
        assert "RuntimeError: the device is gone" in found.chunks[1].error and "not numbers" in found.chunks[2].error
        assert [c.is_failed for c in found.chunks] == [False, True, True, False]
        for k in (0, 3):
            assert np.array_equal(found.chunks[k].wave, whole.chunks[k].wave)
        assert not found.chunks[1].wave.any() and found.chunks[1].n_samples == whole.chunks[1].n_samples
        assert found.chunks[1].mel.shape == whole.chunks[1].mel.shape and found.n_samples == whole.n_samples
        assert found.chunks[1].rtf is None and found.rtf is not None and found.chunks[0].error == ""
        for made in exports.every():
            assert len(made.make(found)) > 100
    assert store.summarise(run.id).n_failed == 2
    seconds, audio = run.total_seconds, sum(run.chunks[k].audio_seconds for k in (0, 3))
    failed = sum(run.chunks[k].timing.total_seconds for k in (1, 2))
    assert run.rtf == pytest.approx((seconds - failed) / audio)


def test_a_failed_chunk_is_made_again_as_a_take_and_chosen(
    pool: Any, request_: Any, whole: Any, breaks: dict[int, Any]
) -> None:
    from workbench.engine.jobs.takes import make_take

    breaks[1] = RuntimeError("once")
    run = pool.speak(request_, skip_failed=True)
    store.save_run(run)
    breaks.clear()
    take = make_take(run.id, 1, pool=pool, seed=run.chunks[1].seed)
    assert take.is_chosen and choosing.takes_of(run.id).of(1)[0].is_failed
    assert np.array_equal(store.load_run(run.id).wave, whole.wave) and store.load_run(run.id).failed == []


def test_where_no_chunk_can_be_made_the_error_is_raised(pool: Any, request_: Any, breaks: dict[int, Any]) -> None:
    breaks |= {k: RuntimeError(f"chunk {k}") for k in range(4)}
    with pytest.raises(RuntimeError, match="chunk 3"):
        pool.speak(request_, skip_failed=True)
    with pytest.raises(RuntimeError, match="chunk 0"):
        pool.speak(request_)
    breaks.clear()
    breaks[0] = Cancelled()
    with pytest.raises(Cancelled):
        pool.speak(request_, skip_failed=True)


def test_a_failed_chunk_of_an_unfinished_run_is_tried_again(
    pool: Any, request_: Any, whole: Any, breaks: dict[int, Any]
) -> None:
    breaks[1] = RuntimeError("once")
    run_id = "20260101-000000-abcdef"
    with pytest.raises(Cancelled):
        pool.speak(request_, on_step=stop_at(3), run_id=run_id, keep_all=True, skip_failed=True)
    assert store.load_run(run_id).failed == [1] and len(store.load_run(run_id).chunks) == 3
    breaks.clear()
    made = set()
    run = pool.speak(request_, on_step=lambda at: made.add(at.chunk_index), run_id=run_id, keep_all=True)
    assert made == {1, 3} and np.array_equal(run.wave, whole.wave)


def test_a_long_run_with_a_failed_chunk(
    pool: Any, request_: Any, whole: Any, breaks: dict[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.engine.rules.LONG_RUN_CHUNKS", 2)
    breaks[2] = MemoryError()
    run = pool.speak(request_.replace(settings=QUICK.replace(keep_trajectory=False)), skip_failed=True)
    store.save_run(run)
    back = store.load_run(run.id)
    assert back.failed == [2] and "not enough memory" in back.chunks[2].error and back.n_samples == whole.n_samples
    assert not back.chunks[2].wave.any()
