"""Speed: real-time factor, and the time to the first audio."""

from __future__ import annotations

from workbench.engine.measures.registry import CHUNK, RUN, measure
from workbench.engine.measures.subjects import Times


@measure(
    "rtf", "", "Processing time / audio time, without loading and reused chunks; below 1 is faster than real time.",
    of=(RUN, CHUNK), label="RTF", better="lower",
    misleads="for short texts, where the fixed costs of a run weigh most, and on a busy machine.",
)  # fmt: skip
def real_time_factor(times: Times) -> float | None:
    """Return the real-time factor; inf without audio, None if nothing was made."""
    return times.rtf


@measure(
    "first_audio_seconds", "s", "Time from the start of the run to the samples of the first chunk.",
    of=(RUN,), label="first audio", better="lower",
    misleads="where first chunks differ in length: a shorter one is there sooner.",
)  # fmt: skip
def first_audio(times: Times) -> float | None:
    """Return the seconds to the first audio; None for a chunk."""
    return times.first_audio_seconds
