"""The time axis of a run whose chunks were not made one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.engine.speech.results import ChunkResult
from workbench.engine.timing import Timeline, note_chunk


def end_to_end(results: Sequence[ChunkResult]) -> tuple[Timeline, float]:
    """Return a timeline with the chunks of several runs one after the other, and the end in seconds."""
    timeline, end = Timeline(), 0.0
    for result in results:
        end = note_chunk(timeline, result.chunk.index, end, result.timing)
    return timeline, end


def note_pauses(timeline: Timeline, results: Sequence[ChunkResult], at: float) -> None:
    """Note the pauses beside chunks: they take no time, but have their place."""
    for result in results:
        if result.chunk.lead_seconds or result.chunk.pause_seconds:
            timeline.add("pause", at, 0.0, result.chunk.index)
