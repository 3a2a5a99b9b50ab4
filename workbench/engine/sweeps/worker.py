"""A worker of a sweep: it loads each model once, speaks tasks, measures them, and returns the outcomes."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.engine import measures
from workbench.engine.errors import Cancelled, WorkbenchError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run

log = logging.getLogger("workbench.sweeps")
_WARM_UP = "This is only to warm up."


@dataclass(frozen=True, eq=False)
class Task:
    """A task for a worker. It can be sent to another process or machine.

    Attributes:
        key: unique among the tasks.
        request: what to speak.
        voice: the voice with its samples, because a worker on another machine may not have the recording.
        voices: the other voices of a script.
        chunk: speak only this chunk and return a ``ChunkResult``; None: speak the whole request and return a ``Run``.
        measures: names of measures to compute for the run.
    """

    key: str
    request: SpeechRequest
    voice: Voice
    voices: tuple[Voice, ...] = ()
    chunk: Chunk | None = None
    measures: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of a task.

    Attributes:
        key: of the task.
        run: the run; None for a task of one chunk, or after a failure.
        result: the chunk; None for a task of a whole run, or after a failure.
        values: name of each measure to its number, or None if there is nothing to measure.
        error: why it failed, in one line, or "".
        worker: facts about the worker: name, host, pid, loads of the model, load_seconds and warm_up_seconds.
        attempts: number of workers that tried.
    """

    key: str
    run: Run | None = None
    result: ChunkResult | None = None
    values: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""
    worker: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1


class Worker:
    """Speak tasks one after the other. Loads and warms up a model at its first task.

    Args:
        name: shown to users.
        threads: threads of torch on the CPU; 0 keeps the present number. The exact samples depend on it.
        pool: engines to use; a new pool by default.
    """

    def __init__(self, name: str, threads: int = 0, pool: EnginePool | None = None) -> None:
        self.name = name
        self.pool = pool or EnginePool()
        self._warm: dict[tuple[Any, ...], float] = {}
        if threads:
            import torch

            torch.set_num_threads(threads)

    def do(self, task: Task, check: Callable[[], None] = lambda: None) -> Outcome:
        """Speak ``task`` and return its outcome; if it fails, the outcome has an ``error``.

        Args:
            task: what to speak.
            check: called at every ODE step. Raise Cancelled from it to stop; it propagates.
        """
        try:
            return self._spoken(task, check)
        except Cancelled:
            raise
        except WorkbenchError as error:
            return Outcome(task.key, error=str(error), worker=self._facts(task.request))
        except Exception as error:  # one failed trial must not stop a long sweep
            first = (str(error).splitlines() or [""])[0][:200]
            return Outcome(task.key, error=f"{type(error).__name__}: {first}", worker=self._facts(task.request))

    def _spoken(self, task: Task, check: Callable[[], None]) -> Outcome:
        engine = self.pool.engine_for(task.request)
        for voice in (task.voice, *task.voices):
            self.pool.remember(voice)
        self._warm_up(task, check)
        if task.chunk is not None:
            (result,) = engine.synthesize(
                task.request.text, task.voice, task.request.settings, chunks=[task.chunk], on_step=lambda _: check()
            )
            return Outcome(task.key, result=result, worker=self._facts(task.request))
        run = self.pool.speak(task.request, on_step=lambda _: check())
        return Outcome(task.key, run, values=values_of(run, task.measures), worker=self._facts(task.request))

    def _warm_up(self, task: Task, check: Callable[[], None]) -> None:
        """Speak one chunk and discard it, once per engine, because the first chunk is slower than the others."""
        key = task.request.engine_key
        if key not in self._warm:
            began = time.perf_counter()
            engine = self.pool.engine_for(task.request)
            settings = task.request.settings.replace(max_chunk_bytes=None, fix_duration=None, keep_trajectory=False)
            text = task.request.text if engine.loaded.unknown(_WARM_UP) else _WARM_UP
            for _ in engine.synthesize(text, task.voice, settings, on_step=lambda _: check()):
                break
            self._warm[key] = time.perf_counter() - began

    def _facts(self, request: SpeechRequest) -> dict[str, Any]:
        from workbench.engine.model.loading import load_counts

        engine = self.pool.engine_if_loaded(*request.engine_key)
        return {
            "name": self.name,
            "host": platform.node(),
            "pid": os.getpid(),
            "loads": load_counts(request.model)["acoustic"],
            "load_seconds": engine.load_seconds if engine else 0.0,
            "warm_up_seconds": self._warm.get(request.engine_key, 0.0),
        }


def values_of(run: Run, names: Sequence[str] = ()) -> dict[str, float | None]:
    """Return name to number of every measure of the run's times, and of the measures ``names`` of its sound.

    A measure that fails is None: it must not cost the run. Raises KeyError if there is no such measure.
    """
    found = measures.values(measures.RUN, measures.Times.of_run(run.as_dict()))
    sound = measures.Sound.of_run(run)
    for name in names:
        if name not in found:
            measure = measures.get(name)
            try:
                found[name] = measure.value(sound)
            except Exception as error:
                log.warning("run %s: %s cannot be measured: %s", run.id, measure.label, error)
                found[name] = None
    return found
