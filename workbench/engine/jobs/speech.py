"""Synthesis as a job: chunks as they are finished, the time that is left, and the run saved at the end."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.engine.errors import JobError, WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.monitor import Monitor
from workbench.engine.runs.store import save_run
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import Chunk

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run
    from workbench.engine.speech.synthesis import Engine
    from workbench.engine.speech.voices import Voice
    from workbench.engine.timing import Progress


log = logging.getLogger("workbench.jobs")


class SpeechJob(Job):
    """Speak a text, or one chunk of a run again, and save what came out.

    A run that cannot be saved is not lost: the job is done, ``run`` holds it, ``save_error`` says why, and
    ``save_again`` tries once more.

    Args:
        load: returns the engine; may take as long as loading takes, and is called on the worker.
        text: what to say; with ``base``, the new words of the chunk or None for the old ones.
        voice: who says it.
        settings: how; ``base``'s own if given.
        lane: device it needs.
        base: run of which ``chunk_index`` is spoken again, all else spliced in as it was.
        seed: of the remade chunk; None keeps the old one.
        sweep: name of the sweep the run belongs to.
        note: what the title adds, such as the size in a sweep.

    Attributes:
        plan: the chunks, once the engine is there.
        chunks: those that are finished, in order.
        step, n_steps: of the chunk in the making.
        save_error: why the finished run is not on disk, or "".
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        text: str | None,
        voice: Voice,
        settings: SynthesisSettings = SynthesisSettings(),
        *,
        lane: str = "auto",
        base: Run | None = None,
        chunk_index: int = 0,
        seed: int | None = None,
        sweep: str = "",
        title: str = "",
    ) -> None:
        super().__init__(title or f"Speak {(text or '')[:40]!r}", lane)
        self._load, self.text, self.voice = load, text, voice
        self.settings = base.settings if base else settings
        self.base, self.chunk_index, self.seed, self.sweep = base, chunk_index, seed, sweep
        self.plan: tuple[Chunk, ...] = ()
        self.step, self.n_steps = 0, self.settings.nfe_step
        self.save_error = ""
        self._made: list[ChunkResult] = []
        self._pace = _Pace()

    @property
    def chunks(self) -> tuple[ChunkResult, ...]:
        """What is finished so far."""
        with self.lock:
            return tuple(self._made)

    @property
    def run(self) -> Run | None:
        """The finished run."""
        finished: Run | None = self.result
        return finished

    @property
    def chunk_now(self) -> int:
        """Index of the chunk in the making, among those to be made."""
        return min(len(self.chunks), max(len(self.plan) - 1, 0))

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the steps measured in this job; None before the first one."""
        return self._pace.seconds_left(self.plan, len(self.chunks), self.step, self.n_steps)

    def work(self) -> Run:
        self.doing = "waiting for the model"
        engine = self._load()
        self.check()
        self.doing = "planning"
        self.plan = self._planned(engine)
        self.doing = "speaking"
        with Monitor(engine.loaded.device) as monitor:
            run = self._speak(engine)
        self.doing = "saving"
        run = dataclasses.replace(run, utilisation=monitor.samples)
        self._save(run)
        return run

    @property
    def remade_chunk(self) -> int | None:
        """Index of the chunk that was spoken again, None where the whole text was."""
        return self.chunk_index if self.base else None

    @property
    def is_unsaved(self) -> bool:
        return self.state == DONE and bool(self.save_error)

    def _save(self, run: Run) -> None:
        parent = self.base.id if self.base else ""
        try:
            save_run(run, sweep=self.sweep, parent=parent, remade_chunk=self.remade_chunk)
        except WorkbenchError as error:
            self.save_error = str(error)
        except Exception as error:  # whatever it is, the speech is there and took its time
            log.exception("a run could not be saved")
            problem = JobError(
                f"The run cannot be saved ({type(error).__name__}).", remedy="The server's log says why."
            )
            self.save_error = str(problem)
        else:
            self.save_error = ""

    def save_again(self) -> bool:
        """Try to save a run that could not be saved; True if it is on disk now, else ``save_error`` says why."""
        with self.lock:
            if self.is_unsaved and self.run is not None:
                self._save(self.run)
            return not self.save_error

    def discard(self) -> None:
        """Give up a run that could not be saved: the job may be forgotten, like any other."""
        with self.lock:
            self.save_error = ""

    def _planned(self, engine: Engine) -> tuple[Chunk, ...]:
        if self.base is None:
            return tuple(engine.plan(self.text or "", self.voice, self.settings))
        return (self.base.chunks[self.chunk_index].chunk,) if self.chunk_index < len(self.base.chunks) else ()

    def _speak(self, engine: Engine) -> Run:
        if self.base is None:
            return engine.run(self.text or "", self.voice, self.settings, run_id=self.id,
                              on_step=self._on_step, on_chunk=self._on_chunk)  # fmt: skip
        return engine.remake(self.base, self.voice, self.chunk_index, text=self.text, seed=self.seed,
                             on_step=self._on_step, run_id=self.id)  # fmt: skip

    def _on_step(self, progress: Progress) -> None:
        self._pace.step(progress.step, self.plan[progress.chunk_index].duration_frames if self.plan else 1)
        self.step, self.n_steps = progress.step, progress.n_steps
        self.report((progress.chunk_index + progress.step / progress.n_steps) / max(progress.n_chunks, 1))

    def _on_chunk(self, result: ChunkResult) -> None:
        with self.lock:
            self._made.append(result)
            self.step = 0
        self._pace.chunk(result)


class _Pace:
    """Seconds per step and frame, and per frame beside the steps, as measured so far."""

    def __init__(self) -> None:
        self._last = 0.0
        self._step_seconds = self._step_frames = self._other_seconds = self._other_frames = 0.0

    def step(self, step: int, frames: int) -> None:
        now = time.perf_counter()
        if step > 0:
            self._step_seconds += now - self._last
            self._step_frames += frames
        self._last = now

    def chunk(self, result: Any) -> None:
        self._other_seconds += result.timing.total_seconds - result.timing.ode_seconds
        self._other_frames += result.chunk.duration_frames

    def seconds_left(self, plan: tuple[Chunk, ...], n_done: int, step: int, n_steps: int) -> float | None:
        if not self._step_frames or not plan:
            return None
        frames = [chunk.duration_frames for chunk in plan[n_done:]]
        steps = sum(frames) * n_steps - (frames[0] * step if frames else 0)
        beside = sum(frames) * self._other_seconds / self._other_frames if self._other_frames else 0.0
        return steps * self._step_seconds / self._step_frames + beside
