"""From timed pieces to a run: spans of a chunk, and the record of the whole."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from workbench.engine.ids import new_id
from workbench.engine.model.loading import Loaded, load_counts
from workbench.engine.model.sampling import Solution
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import ChunkResult, Run, environment
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import ChunkTiming, Span, Timeline


def note_chunk(
    timeline: Timeline, index: int, began: float, embedded: float, solved: float, ended: float, solution: Solution
) -> ChunkTiming:
    """Note when a chunk's text, ODE, each of its steps, and vocoder ran, from the readings of one clock."""
    timeline.add("text", began, embedded - began, index)
    timeline.add("ode", embedded, solved - embedded, index)
    at = solved - sum(solution.step_seconds)
    for seconds in solution.step_seconds:
        timeline.add("ode.step", at, seconds, index)
        at += seconds
    timeline.add("vocoder", solved, ended - solved, index)
    return ChunkTiming(
        embedded - began, solved - embedded, ended - solved,
        solution.step_seconds, ended - began, solution.n_evaluations,
    )  # fmt: skip


def assemble(
    loaded: Loaded,
    text: str,
    voice: Voice,
    settings: SynthesisSettings,
    results: list[ChunkResult],
    timeline: Timeline,
    first_audio_seconds: float,
    run_id: str | None = None,
) -> Run:
    """The run of ``results``. Joining them is timed too, and its result is kept in the run."""
    load_seconds = sum(span.seconds for span in loaded.spans)
    with timeline.span("cross_fade"):
        draft = Run(
            id=run_id or new_id(),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            model=loaded.spec.name,
            voice=voice.name,
            voice_id=voice.id,
            ref_text=voice.ref_text,
            text=text,
            settings=settings,
            device=loaded.device,
            dtype=loaded.dtype,
            chunks=tuple(results),
            spans=(),
            loads=load_counts(loaded.spec.name),
            load_seconds=load_seconds,
            time_to_first_audio_seconds=first_audio_seconds,
            total_seconds=0.0,
            mel_config=loaded.spec.mel,
            environment=environment(),
        )
        joined = draft._joined
    for result in results:
        if result.chunk.lead_seconds or result.chunk.pause_seconds:  # it takes no time, but it has its place
            timeline.add("pause", timeline.now(), 0.0, result.chunk.index)
    total_seconds = timeline.now()
    before = tuple(Span(s.name, s.start_seconds - load_seconds, s.seconds) for s in loaded.spans)
    run = dataclasses.replace(draft, spans=before + timeline.spans, total_seconds=total_seconds)
    run.__dict__["_joined"] = joined
    return run
