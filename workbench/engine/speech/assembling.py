"""Chunks that were made, joined into a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from workbench.engine.model.loading import Loaded
from workbench.engine.speech.axis import end_to_end, note_pauses
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.results import ChunkResult, Run
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Span, Timeline


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
