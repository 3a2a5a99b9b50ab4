"""How fast: real-time factor, and the wait until something can be heard."""

from __future__ import annotations

from workbench.engine.measures.registry import CHUNK, RUN, measure
from workbench.engine.measures.subjects import Times
from workbench.engine.timing import rtf


@measure(
    "rtf", "", "Processing time over audio time, loading apart; below 1 is faster than real time.",
    of=(RUN, CHUNK), label="RTF", better="lower",
)  # fmt: skip
def real_time_factor(times: Times) -> float:
    """Real-time factor."""
    return rtf(times.total_seconds, times.audio_seconds)


@measure(
    "first_audio_seconds", "s", "Until the samples of the first chunk were there.",
    of=(RUN,), label="first audio", better="lower",
)  # fmt: skip
def first_audio(times: Times) -> float | None:
    """Seconds until something can be heard."""
    return times.first_audio_seconds
