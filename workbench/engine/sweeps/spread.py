"""The chunks of one text over several workers, joined in order: the same samples as one worker makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from workbench.engine.errors import EngineError
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice
from workbench.engine.sweeps.executors import Executor
from workbench.engine.sweeps.worker import Outcome, Task

if TYPE_CHECKING:  # both import torch
    from workbench.engine.jobs.pool import EnginePool
    from workbench.engine.speech.results import ChunkResult, Run


def speak(
    pool: EnginePool,
    request: SpeechRequest,
    how: Executor,
    *,
    on_plan: Callable[[list[Chunk]], None] = lambda chunks: None,
    on_chunk: Callable[[ChunkResult], None] = lambda result: None,
    check: Callable[[], None] = lambda: None,
    run_id: str | None = None,
) -> Run:
    """Speak ``request`` with the workers of ``how`` and return the run without saving it.

    This process loads the model too: it plans the text, and joins the chunks as they come. Waves equal those of one
    process to the last bit, if device, number format, backend and number of threads are the same.

    Args:
        pool: engine and voices of this process.
        request: what to speak.
        how: who makes the chunks; one that was made before is not made again.
        on_plan: called with the chunks before synthesis.
        on_chunk: called with each chunk, in order.
        check: called while the workers work. Raise Cancelled from it to stop.
        run_id: names the run.

    Raises:
        WorkbenchError: as ``EnginePool.speak``; or a worker cannot make a chunk.
    """
    engine = pool.engine_for(request)
    mel = engine.loaded.spec.mel
    spread = _Spread(how, request, pool.voice(request.voice, mel), check, pool.cast(request, mel))

    def plan(chunks: list[Chunk]) -> None:
        spread.chunks = chunks
        on_plan(chunks)

    try:
        return pool.speak(request, on_plan=plan, on_chunk=on_chunk, run_id=run_id, made=spread.made)
    finally:
        spread.close()


class _Spread:
    """Chunks in order from workers that finish them in any order."""

    def __init__(self, how: Executor, request: SpeechRequest, voice: Voice, check: Callable[[], None],
                 voices: Mapping[str, Voice]) -> None:  # fmt: skip
        self.chunks: list[Chunk] = []
        self._how, self._request, self._voice, self._check, self._voices = how, request, voice, check, voices
        self._outcomes: Iterator[Outcome] | None = None
        self._early: dict[str, ChunkResult] = {}

    def made(self, chunk: Chunk) -> ChunkResult:
        """Wait for the result of ``chunk``. The workers begin with the first that is asked for.

        Raises:
            EngineError: no worker could make it.
        """
        if self._outcomes is None:
            left = [c for c in self.chunks if c.index >= chunk.index]
            tasks = [Task(str(c.index), *self._part(c), chunk=c) for c in left]
            self._outcomes = self._how.run(tasks, self._check)
        while str(chunk.index) not in self._early:
            outcome = next(self._outcomes)
            if outcome.result is None:
                raise EngineError(
                    f"Chunk {int(outcome.key) + 1} could not be made by a worker: {outcome.error.rstrip('.')}.",
                    remedy="What was made before is kept; speak it again, with one worker if this comes again.",
                )
            self._early[outcome.key] = outcome.result
        return self._early.pop(str(chunk.index))

    def _part(self, chunk: Chunk) -> tuple[SpeechRequest, Voice]:
        """What a worker needs to know of the request to make ``chunk``: of a script, its passage alone."""
        script, settings = self._request.script, self._request.settings_of(chunk.passage)
        voice = self._voices[script.speaker(chunk.passage).name] if script else self._voice
        return self._request.replace(settings=settings, script=None), voice

    def close(self) -> None:
        """End the workers."""
        getattr(self._outcomes, "close", lambda: None)()
