"""Synthesis as a job: finished chunks, estimated time left, and a saved run at the end."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from workbench.engine.errors import JobError, WorkbenchError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import DONE, Job, JobManager
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.store import load_run, save_run
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import UNMADE

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run
    from workbench.engine.timing import Progress

log = logging.getLogger("workbench.jobs")
SPEECH_LANE = "auto"  # lane of all jobs that use the models


class SpeechJob(Job):
    """Speak a request and save the run.

    Its chunks are on disk as soon as they are finished: a job that was cancelled, failed or killed is an unfinished
    run, which can be heard and goes on. A chunk that cannot be made is left out, with silence in its place.

    A run that cannot be saved is not lost: the job is done, ``run`` holds the run, ``save_error`` says why, and
    ``save_again`` tries again.

    Args:
        request: what to speak.
        title: description for users.
        run_id: of an unfinished run that goes on; by default a new one.

    Attributes:
        base: the run whose chunk is made again; None if the whole text is spoken.
        plan: the chunks to synthesize; empty until the engine is loaded.
        chunks: the finished chunks, in order.
        step, n_steps: ODE step of the chunk being synthesized, and the number of steps.
        save_error: why the finished run is not on disk, or "".
    """

    def __init__(self, request: SpeechRequest, title: str = "", *, run_id: str = "") -> None:
        super().__init__(title or _title(request), SPEECH_LANE)
        self.id = run_id or self.id
        self.request = request
        self.base: Run | None = None
        self.plan: tuple[Chunk, ...] = ()
        self.step, self.n_steps = 0, self.settings.nfe_step
        self.save_error = ""
        self._pool: EnginePool | None = None
        self._made: list[ChunkResult] = []
        self._pace = _Pace()

    @property
    def settings(self) -> SynthesisSettings:
        """Settings of the request."""
        return self.request.settings

    @property
    def chunks(self) -> tuple[ChunkResult, ...]:
        """Finished chunks, in order."""
        with self.lock:
            return tuple(self._made)

    @property
    def run(self) -> Run | None:
        """The finished run; None before the end."""
        finished: Run | None = self.result
        return finished

    @property
    def chunk_now(self) -> int:
        """Index, within ``plan``, of the chunk being synthesized."""
        return min(len(self.chunks), max(len(self.plan) - 1, 0))

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end, from the steps measured in this job; None before the first step."""
        return self._pace.seconds_left(self.plan, len(self.chunks), self.step, self.n_steps)

    def accept(self, manager: JobManager) -> None:
        """Take the engines from ``manager``, and the run whose chunk is made again from memory or disk.

        Raises:
            RunError: there is no such run.
        """
        self._pool = manager.pool
        if self.request.remake is not None:
            in_memory = getattr(manager.get(self.request.remake.run), "run", None)  # it may be unsaved
            self.base = in_memory or load_run(self.request.remake.run, trajectories=self.settings.keep_trajectory)

    def work(self) -> Run:
        pool = self._pool or EnginePool()
        self.doing = "waiting for the model"
        pool.engine_for(self.request)
        self.report(0.0, "planning")
        run = pool.speak(
            self.request, base=self.base, on_plan=self._on_plan, on_step=self._on_step, on_chunk=self._on_chunk,
            run_id=self.id, skip_failed=True, keep_all=True,
        )  # fmt: skip
        self.doing = "saving"
        self._save(run)
        return run

    @property
    def is_unsaved(self) -> bool:
        return self.state == DONE and bool(self.save_error)

    def _save(self, run: Run) -> None:
        try:
            save_run(run)
        except WorkbenchError as error:
            self.save_error = str(error)
        except Exception as error:  # keep the speech after any error
            log.exception("a run could not be saved")
            problem = JobError(
                f"The run cannot be saved ({type(error).__name__}).", remedy="The server's log says why."
            )
            self.save_error = str(problem)
        else:
            self.save_error = ""

    def save_again(self) -> bool:
        """Try again to save an unsaved run. Returns whether it is on disk now; if not, ``save_error`` says why."""
        with self.lock:
            if self.is_unsaved and self.run is not None:
                self._save(self.run)
            return not self.save_error

    def discard(self) -> None:
        """Give up an unsaved run, so that the manager may drop the job."""
        with self.lock:
            self.save_error = ""
        with contextlib.suppress(WorkbenchError):
            unfinished.drop(self.id)

    def _on_plan(self, chunks: list[Chunk]) -> None:
        self.plan, self.doing = tuple(chunks), "speaking"
        self.check()

    def _on_step(self, progress: Progress) -> None:
        self._pace.step(progress.step, self.plan[progress.chunk_index].duration_frames if self.plan else 1)
        self.step, self.n_steps = progress.step, progress.n_steps
        self.report((progress.chunk_index + progress.step / progress.n_steps) / max(progress.n_chunks, 1))

    def _on_chunk(self, result: ChunkResult) -> None:
        with self.lock:
            self._made.append(result)
            self.step = 0
        self._pace.chunk(result)


def _title(request: SpeechRequest) -> str:
    if request.remake is not None:
        return f"Remake chunk {request.remake.chunk + 1} of {request.remake.run}"
    return f"Speak {request.text[:40]!r}"


class _Pace:
    """Measured seconds per ODE step and frame, and per frame outside the ODE."""

    def __init__(self) -> None:
        self._last, self._at = 0.0, -1
        self._step_seconds = self._step_frames = self._other_seconds = self._other_frames = 0.0

    def step(self, step: int, frames: int) -> None:
        now = time.perf_counter()
        if 0 < step == self._at + 1:  # a reused chunk has no steps
            self._step_seconds += now - self._last
            self._step_frames += frames
        self._last, self._at = now, step

    def chunk(self, result: ChunkResult) -> None:
        if result.timing.made in UNMADE:
            return
        self._other_seconds += result.timing.total_seconds - result.timing.ode_seconds
        self._other_frames += result.chunk.duration_frames

    def seconds_left(self, plan: tuple[Chunk, ...], n_done: int, step: int, n_steps: int) -> float | None:
        if not self._step_frames or not plan:
            return None
        frames = [chunk.duration_frames for chunk in plan[n_done:]]
        steps = sum(frames) * n_steps - (frames[0] * step if frames else 0)
        beside = sum(frames) * self._other_seconds / self._other_frames if self._other_frames else 0.0
        return steps * self._step_seconds / self._step_frames + beside
