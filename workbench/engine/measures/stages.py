"""Seconds of each stage of a run or a chunk, the rest of the total, and the mean ODE step."""

from __future__ import annotations

from collections.abc import Callable

from workbench.engine.measures.registry import CHUNK, RUN, measure
from workbench.engine.measures.subjects import CHUNK_STAGES, Times

_ABOUT = {
    "reference_mel": ("reference mel", "Mel of the reference, computed once per voice."),
    "text": ("text", "Text to tokens and their embedding."),
    "ode": ("ODE", "Solving the flow: all evaluations of the model."),
    "vocoder": ("vocoder", "Mel to samples."),
    "reuse": ("reuse", "Reading chunks that were made before."),
    "keep": ("keep", "Keeping chunks, to be reused."),
    "cross_fade": ("cross-fade", "Joining the chunks."),
    "other": ("other", "The rest of the total time."),
}


def _seconds_of(stage: str) -> Callable[[Times], float | None]:
    return lambda times: times.stages.get(stage)


for _stage, (_label, _about) in _ABOUT.items():
    measure(
        f"{_stage}_seconds", "s", _about, of=(RUN, CHUNK) if _stage in CHUNK_STAGES else (RUN,),
        label=_label, better="lower", digits=3, misleads="on a busy machine, and where texts differ in length.",
    )(_seconds_of(_stage))  # fmt: skip


@measure(
    "mean_step_seconds", "s", "Mean time of a step of the ODE solver.",
    of=(CHUNK,), label="ODE step", better="lower", digits=4,
    misleads="between chunks of other lengths, and where CFG is off: that halves the evaluations.",
)  # fmt: skip
def mean_step(times: Times) -> float | None:
    """Return the mean seconds of an ODE step; None if no step was timed."""
    return sum(times.step_seconds) / len(times.step_seconds) if times.step_seconds else None
