"""Jobs run one at a time in a lane and cancel within one step; bugs do not reach the page."""

from __future__ import annotations

import errno
import logging
import queue
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import JobError, TextError
from workbench.engine.jobs import speech
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import CANCELLED, DONE, FAILED, QUEUE_MAX, QUEUED, UNSAVED_MAX, Job, JobManager
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import synthesis
from workbench.engine.speech.requests import Remake

TEXT = "The first sentence is here. The second one follows it. A third ends the text."
QUICK = SynthesisSettings(nfe_step=3, max_chunk_bytes=40)


@pytest.fixture
def manager(tiny_engine: Any) -> JobManager:
    pool = EnginePool()
    pool.add(tiny_engine)
    return JobManager(pool)


def _held(manager: JobManager, lane: str = "cpu") -> tuple[Job, threading.Event]:
    """A job that runs until its event is set."""
    release = threading.Event()
    return manager.start("held", lambda job: release.wait(20), lane), release


def test_a_speech_job_makes_chunks_a_run_and_a_folder(
    manager: JobManager, tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(synthesis.log, "info", lambda event, extra: said.append((event, extra["pairs"].get("id"))))
    job = manager.submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
    assert job.wait(60) == DONE and job.error == ""
    assert said[-1] == ("run finished", job.id)  # the engine's lines name the run that is on disk
    assert len(job.chunks) == len(job.plan) > 1 and job.fraction == 1.0
    assert job.run.id == job.id
    assert np.array_equal(store.load_run(job.id).wave, job.run.wave)
    assert job.run.utilisation and job.run.utilisation[-1].seconds > 0
    direct = tiny_engine.run(TEXT, voice, QUICK)
    assert np.array_equal(direct.wave, job.run.wave)


def test_jobs_of_a_lane_wait_for_each_other_and_know_their_place(manager: JobManager) -> None:
    first, release = _held(manager)
    second, third = manager.start("b", lambda job: 2), manager.start("c", lambda job: 3)
    elsewhere = manager.start("d", lambda job: 4, lane="cuda")
    assert elsewhere.wait(10) == DONE and elsewhere.result == 4
    assert (manager.ahead(first), manager.ahead(second), manager.ahead(third)) == (0, 1, 2)
    assert second.state == QUEUED
    release.set()
    assert third.wait(10) == DONE and (second.result, third.result) == (2, 3)
    assert manager.ahead(third) == 0 and second.ended <= third.started


def test_a_waiting_job_is_cancelled_at_once_and_never_starts(manager: JobManager) -> None:
    _, release = _held(manager)
    ran = threading.Event()
    waiting = manager.start("never", lambda job: ran.set())
    waiting.cancel()
    assert waiting.state == CANCELLED
    release.set()
    assert manager.start("after", lambda job: None).wait(10) == DONE
    assert not ran.is_set()


def test_cancel_takes_effect_within_one_ode_step(manager: JobManager, tiny_engine: Any, voice: Any) -> None:
    steps_seen: list[tuple[int, int]] = []

    class Watched(SpeechJob):
        def _on_step(self, progress: Any) -> None:
            steps_seen.append((progress.chunk_index, progress.step))
            if (progress.chunk_index, progress.step) == (1, 2):
                self.cancel()
            super()._on_step(progress)

    settings = QUICK.replace(nfe_step=16)
    job = manager.submit(Watched(tiny_engine.request(TEXT, voice, settings)))
    assert job.wait(60) == CANCELLED
    assert steps_seen[-1] == (1, 2)  # no step after the one in which it was asked for
    assert len(job.chunks) == 1 and job.run is None and store.list_runs() == []
    again = manager.submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
    assert again.wait(60) == DONE  # the engine is none the worse


def test_a_mistake_is_one_line_and_leaves_the_worker_alive(
    manager: JobManager, tiny_engine: Any, voice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "workbench"):
        job = manager.submit(SpeechJob(tiny_engine.request("…!?", voice, QUICK)))
        assert job.wait(20) == FAILED
    with pytest.raises(TextError) as expected:
        tiny_engine.plan("…!?", voice)
    assert job.error == str(expected.value)
    assert not any(record.exc_info for record in caplog.records)
    assert manager.start("next", lambda job: "fine").wait(10) == DONE


def test_a_bug_is_logged_with_its_traceback_and_shown_without(
    manager: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    job = manager.start("buggy", lambda job: [][1])
    assert job.wait(10) == FAILED
    assert "IndexError" in job.error and "\n" not in job.error and "Traceback" not in job.error
    assert any(record.exc_info for record in caplog.records)
    hungry = manager.start("hungry", lambda job: (_ for _ in ()).throw(MemoryError()))
    assert hungry.wait(10) == FAILED and "not enough memory" in hungry.error


def test_a_remade_chunk_is_spliced_in_and_the_others_stay(manager: JobManager, tiny_engine: Any, voice: Any) -> None:
    base = manager.submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
    assert base.wait(60) == DONE
    remade = manager.submit(SpeechJob(base.run.request.replace(remake=Remake(base.id, 1, seed=77))))
    assert remade.wait(60) == DONE
    for i, (old, new) in enumerate(zip(base.run.chunks, remade.run.chunks, strict=True)):
        assert np.array_equal(old.wave, new.wave) is (i != 1)
    document = store.read_document(remade.id)
    assert (document["parent"], document["remade_chunk"]) == (base.id, 1)


def test_the_time_left_follows_from_measured_steps(manager: JobManager, tiny_engine: Any, voice: Any) -> None:
    seen: list[float | None] = []

    class Watched(SpeechJob):
        def _on_step(self, progress: Any) -> None:
            super()._on_step(progress)
            seen.append(self.seconds_left)

    job = manager.submit(Watched(tiny_engine.request(TEXT, voice, QUICK.replace(nfe_step=8))))
    assert job.wait(60) == DONE
    assert seen[0] is None and all(s is not None and s >= 0 for s in seen[1:])
    assert seen[-1] < max(s for s in seen if s is not None)


def test_the_time_left_is_that_of_the_steps_to_come_and_of_what_lies_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock by hand: a step takes 10 ms a frame, text and vocoder together 5 ms a frame."""
    now = [100.0]
    monkeypatch.setattr(speech, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    plan = tuple(SimpleNamespace(duration_frames=n) for n in (100, 300))
    pace = speech._Pace()
    pace.step(0, 100)
    assert pace.seconds_left(plan, 0, 0, 4) is None
    now[0] += 1
    pace.step(1, 100)
    assert pace.seconds_left(plan, 0, 1, 4) == pytest.approx(3 + 12)
    for step in (2, 3, 4):
        now[0] += 1
        pace.step(step, 100)
    times = SimpleNamespace(total_seconds=4.5, ode_seconds=4.0, made="warm")
    pace.chunk(SimpleNamespace(timing=times, chunk=plan[0]))
    now[0] += 50  # between two chunks: no step
    pace.step(0, 300)
    assert pace.seconds_left(plan, 1, 0, 4) == pytest.approx(12 + 1.5)
    now[0] += 3
    pace.step(1, 300)
    assert pace.seconds_left(plan, 1, 1, 4) == pytest.approx(9 + 1.5)
    pace.step(4, 300)  # a reused chunk: it has no steps, and its time says nothing of the others
    pace.chunk(SimpleNamespace(timing=SimpleNamespace(total_seconds=0.1, ode_seconds=0.0, made="reused")))
    assert pace.seconds_left(plan, 1, 0, 4) == pytest.approx(12 + 1.5)
    assert pace.seconds_left(plan, 2, 0, 4) == 0


def test_progress_is_told_and_bounded(manager: JobManager) -> None:
    told: list[tuple[float, str]] = []

    def work(job: Job) -> None:
        for fraction in (-1.0, 0.5, 7.0):
            job.report(fraction, f"at {fraction}")
            told.append((job.fraction, job.doing))

    assert manager.start("told", work).wait(10) == DONE
    assert told == [(0.0, "at -1.0"), (0.5, "at 0.5"), (1.0, "at 7.0")]


def test_the_queue_has_an_end_and_finished_jobs_are_forgotten(manager: JobManager) -> None:
    _, release = _held(manager)
    for _ in range(QUEUE_MAX - 1):
        manager.start("waiting", lambda job: None)
    with pytest.raises(JobError, match="are waiting already"):
        manager.start("too many", lambda job: None)
    release.set()
    deadline = time.monotonic() + 20
    while any(job.is_active for job in manager.jobs()) and time.monotonic() < deadline:
        time.sleep(0.01)
    last = manager.start("last", lambda job: None)
    assert last.wait(10) == DONE and len(manager.jobs()) < QUEUE_MAX
    assert manager.get(last.id) is last and manager.get("unknown") is None and manager.get(None) is None


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_job_that_wants_to_exit_fails_and_its_lane_lives_on(manager: JobManager, error: BaseException) -> None:
    job = manager.start("exits", lambda job: (_ for _ in ()).throw(error))
    assert job.wait(10) == FAILED and type(error).__name__ in job.error
    assert manager.start("next", lambda job: "fine").wait(10) == DONE


def test_a_lane_whose_worker_is_gone_gets_another(manager: JobManager) -> None:
    """As after a fork, which copies the queue and not its thread."""
    assert manager.start("first", lambda job: None).wait(10) == DONE
    gone = threading.Thread(target=lambda: None)
    gone.start()
    gone.join()
    manager._workers["cpu"], manager._lanes["cpu"] = gone, queue.Queue()
    assert manager.start("second", lambda job: None).wait(10) == DONE


def _full(*given: Any, **named: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_that_finds_the_disk_full_is_kept_and_can_be_saved_again(
    manager: JobManager, tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", _full)
        job = manager.submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
        assert job.wait(60) == DONE and job.is_unsaved and manager.unsaved() == [job]
        assert "No space left" in job.save_error and "save it again" in job.save_error
        assert len(job.run.wave) > 1000 and store.list_runs() == []
        assert [path.name for path in store.runs_root().iterdir()] == []  # nothing half
        assert not job.save_again() and job.is_unsaved
    assert job.save_again() and not job.is_unsaved and job.save_error == ""
    assert np.array_equal(store.load_run(job.id).wave, job.run.wave)


@pytest.mark.parametrize("place", ["pathlib.Path.write_bytes", "pathlib.Path.rename", "pathlib.Path.mkdir"])
def test_wherever_the_disk_fails_the_run_stays(
    manager: JobManager, tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place, _full)
        job = manager.submit(SpeechJob(tiny_engine.request("Hello there.", voice, QUICK)))
        assert job.wait(60) == DONE and "No space left" in job.save_error and job.run is not None
    assert job.save_again() and [run.id for run in store.list_runs()] == [job.id]


def test_runs_that_could_not_be_saved_are_not_forgotten_and_bounded(
    manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unsaved(Job):
        is_unsaved = True

    held = [manager.submit(Unsaved("unsaved")) for _ in range(UNSAVED_MAX - 1)]
    for _ in range(60):
        manager.start("other", lambda job: None).wait(10)
    assert all(manager.get(job.id) is job for job in held)
    manager.submit(Unsaved("the last one"))
    with pytest.raises(JobError, match="are in memory only"):
        manager.start("one more", lambda job: None)
