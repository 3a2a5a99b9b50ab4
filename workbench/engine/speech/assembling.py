"""Chunks that were made: where they are kept, and how they are joined into a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from workbench.engine.model.loading import Loaded
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.chunks import end_to_end, note_pauses
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.results import ChunkResult, Run
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Span, Timeline, note_chunk


class Shelf(Protocol):
    """Where finished chunks are kept by what decides their sound; ``reuse.store.ChunkStore`` is one."""

    def find(
        self, loaded: Loaded, voice: Voice, settings: SynthesisSettings, chunk: Chunk
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Wave and mel of the chunk, to the last bit as they would be made; None if they are not there."""

    def keep(
        self,
        loaded: Loaded,
        voice: Voice,
        settings: SynthesisSettings,
        chunk: Chunk,
        wave: np.ndarray,
        mel: np.ndarray,
    ) -> None:
        """Put wave and mel of the chunk there."""


class LongRun(Protocol):
    """Holds the chunks of a run on disk, so that memory holds one of them and a stopped run can continue.

    ``n_found`` counts the chunks that were made and kept before.
    """

    n_found: int

    def find(self, chunk: Chunk) -> ChunkResult | None:
        """Return the result of ``chunk`` if it was made and kept before."""

    def keep(self, result: ChunkResult) -> ChunkResult:
        """Keep ``result``; return it with its arrays on disk."""


class BeginLongRun(Protocol):
    """Begins or continues a long run, for the block in which it is made."""

    def __call__(
        self, run_id: str, request: SpeechRequest, voice: Voice, loaded: Loaded, chunks: Sequence[Chunk],
        environment: dict[str, str], others: Sequence[Voice], /,
    ) -> AbstractContextManager[LongRun]: ...  # fmt: skip


def assemble(
    request: SpeechRequest,
    voice: Voice,
    loaded: Loaded,
    results: Sequence[ChunkResult],
    timeline: Timeline,
    first_audio_seconds: float,
    *,
    run_id: str,
    loads: dict[str, int],
    environment: dict[str, str],
    others: Sequence[Voice] = (),
    resumed: bool = False,
) -> Run:
    """Join ``results`` into a run. Joining is timed too; unless the run is long, the joined wave is kept in it.

    With ``resumed``, some of them were made before, so that the run has no time axis of its own.
    """
    apart = request.remake is not None or resumed
    load_seconds = sum(span.seconds for span in loaded.spans)
    draft = Run(
        id=run_id, created_at=datetime.now(UTC).isoformat(timespec="seconds"), request=request,
        device=loaded.device, dtype=loaded.dtype, weights=loaded.weights, environment=environment, loads=loads,
        chunks=tuple(results), spans=(), load_seconds=load_seconds, total_seconds=0.0,
        time_to_first_audio_seconds=first_audio_seconds, mel_config=loaded.spec.mel, reference=voice.audio,
        references={one.id: one.audio for one in others},
    )  # fmt: skip
    if draft.is_long or resumed:  # several processes may have made its chunks
        draft = dataclasses.replace(draft, time_to_first_audio_seconds=results[0].timing.total_seconds)
    began = timeline.now()
    joined = None if draft.is_long else draft.wave
    joining = 0.0 if joined is None else timeline.now() - began
    if apart or draft.is_long:
        timeline, began = end_to_end(results)
    if joined is not None:
        timeline.add("cross_fade", began, joining)
    note_pauses(timeline, results, began + joining)
    loaded_at = max((span.end_seconds for span in loaded.spans), default=0.0)
    before = tuple(Span(s.name, s.start_seconds - loaded_at, s.seconds) for s in loaded.spans)
    run = dataclasses.replace(draft, spans=before + timeline.spans, total_seconds=began + joining)
    if joined is not None:
        run.__dict__["wave"] = joined
    return run


def finder(
    parts: LongRun | None, made: Callable[[Chunk], ChunkResult] | None, timeline: Timeline
) -> Callable[[Chunk], ChunkResult | None] | None:
    """How ``synthesize`` finds chunks that it need not make: kept ones of a long run, else those that others make."""
    if made is None:
        return parts.find if parts else None

    def find(chunk: Chunk) -> ChunkResult | None:
        if parts and (kept := parts.find(chunk)) is not None:
            return kept
        result = made(chunk)
        note_chunk(timeline, chunk.index, max(0.0, timeline.now() - result.timing.total_seconds), result.timing)
        return result

    return find
