"""Spans of time, with which the workbench measures itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Span:
    """A named span of time: one stage of loading or of a run.

    ``start_seconds`` counts from the start of the timeline. ``chunk_index`` is None for work that belongs to no chunk.
    """

    name: str
    start_seconds: float
    seconds: float
    chunk_index: int | None = None

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + self.seconds

    def as_dict(self) -> dict[str, float | str | int | None]:
        """Return the fields, ready for JSON."""
        return {
            "name": self.name,
            "start_seconds": self.start_seconds,
            "seconds": self.seconds,
            "chunk_index": self.chunk_index,
        }


@dataclass
class Timeline:
    """Collect spans from any thread on one clock.

    Args:
        synchronize: called before each reading of the clock. A GPU works on a queue, so without it the time would
            count for the wrong stage.
    """

    synchronize: Callable[[], None] | None = None
    began: float = field(default_factory=time.perf_counter)
    _spans: list[Span] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """Return the seconds since the start of the timeline."""
        if self.synchronize is not None:
            self.synchronize()
        return time.perf_counter() - self.began

    def add(self, name: str, start_seconds: float, seconds: float, chunk_index: int | None = None) -> Span:
        """Add a span that was measured elsewhere; return it."""
        span = Span(name, start_seconds, seconds, chunk_index)
        with self._lock:
            self._spans.append(span)
        return span

    @contextmanager
    def span(self, name: str, chunk_index: int | None = None) -> Iterator[None]:
        """Measure the block as a span, also if it raises."""
        start = self.now()
        try:
            yield
        finally:
            self.add(name, start, self.now() - start, chunk_index)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans so far, sorted by start."""
        with self._lock:
            return tuple(sorted(self._spans, key=lambda s: (s.start_seconds, -s.seconds)))


FIRST_RUN, NEW_LENGTH, WARM, REUSED, FAILED = MADE = ("first run", "new length", "warm", "reused", "failed")
COLD = (FIRST_RUN, NEW_LENGTH)  # may have been compiled, captured or planned for
UNMADE = (REUSED, FAILED)  # nothing was computed, so their time says nothing of the model


@dataclass(frozen=True)
class ChunkTiming:
    """Seconds of each stage of one chunk, the number of evaluations of the model, and how the chunk was made.

    ``made`` is one of ``MADE``. FIRST_RUN: the first chunk since the model was loaded. NEW_LENGTH: the first one with
    this number of frames, which may be compiled, captured or planned for. WARM: any other. REUSED: read from the chunk
    store in ``total_seconds``; nothing was computed. FAILED: silence is in its place. "" where an older program did
    not say.
    """

    text_seconds: float
    ode_seconds: float
    vocoder_seconds: float
    step_seconds: tuple[float, ...]
    total_seconds: float
    n_evaluations: int
    made: str = ""


def note_chunk(timeline: Timeline, index: int, began: float, timing: ChunkTiming) -> float:
    """Note when a chunk's text, ODE, each of its steps, and vocoder ran, from when it ``began``. Returns its end.

    Of a reused chunk there is nothing but the reading, of a failed one nothing but the time until it failed.
    """
    if timing.made in UNMADE:
        name = "reuse" if timing.made == REUSED else "failed"
        return timeline.add(name, began, timing.total_seconds, index).end_seconds
    embedded = began + timing.text_seconds
    solved = embedded + timing.ode_seconds
    timeline.add("text", began, timing.text_seconds, index)
    timeline.add("ode", embedded, timing.ode_seconds, index)
    at = solved - sum(timing.step_seconds)
    for seconds in timing.step_seconds:
        timeline.add("ode.step", at, seconds, index)
        at += seconds
    timeline.add("vocoder", solved, timing.vocoder_seconds, index)
    return began + timing.total_seconds


@dataclass(frozen=True)
class Progress:
    """Progress of a run: ``step`` of ``n_steps`` ODE steps are done in chunk ``chunk_index`` (from 0)."""

    chunk_index: int
    n_chunks: int
    step: int
    n_steps: int


def rtf(processing_seconds: float, audio_seconds: float) -> float:
    """Return the real-time factor: processing time / audio time. Below 1 is faster than real time; inf if no audio."""
    return processing_seconds / audio_seconds if audio_seconds > 0 else float("inf")


def rtf_of_made(
    total_seconds: float, audio_seconds: float, chunks: Iterable[tuple[float, float, bool]]
) -> float | None:
    """Real-time factor of a run: of the chunks that were made in it; None if there is none.

    Args:
        total_seconds: of the run.
        audio_seconds: of the run, its chunks joined.
        chunks: (seconds, seconds of audio, was it not made: reused or failed) of each.
    """
    known = list(chunks)
    if not any(unmade for *_, unmade in known):
        return rtf(total_seconds, audio_seconds)
    if all(unmade for *_, unmade in known):
        return None
    reading = sum(seconds for seconds, _, unmade in known if unmade)
    return rtf(total_seconds - reading, sum(audio for _, audio, unmade in known if not unmade))


def total(spans: Iterable[Span], name: str, chunk_index: int | None = None) -> float:
    """Return the sum in seconds of the spans called ``name``, of one chunk if ``chunk_index`` is given."""
    return sum(s.seconds for s in spans if s.name == name and (chunk_index is None or s.chunk_index == chunk_index))


@dataclass(frozen=True)
class Sample:
    """Use of the machine at one moment.

    Attributes:
        seconds: on the run's time axis.
        cpu_percent: of all cores of the machine, 0 to 100, since the previous sample.
        process_cpu_percent: the same for this process alone.
        memory_bytes: resident memory of this process.
        gpu_percent: load of the GPU; None without one.
        gpu_memory_bytes: memory in use on the GPU, by all processes; None without one.
    """

    seconds: float
    cpu_percent: float
    process_cpu_percent: float
    memory_bytes: int
    gpu_percent: float | None = None
    gpu_memory_bytes: int | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the fields, ready for JSON."""
        return asdict(self)
