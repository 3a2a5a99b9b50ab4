"""Where the time of a run or a chunk went: seconds of each stage, what no stage explains, and an ODE step."""

from __future__ import annotations

from collections.abc import Callable

from workbench.engine.measures.registry import CHUNK, RUN, measure
from workbench.engine.measures.subjects import CHUNK_STAGES, Times

_ABOUT = {
    "reference_mel": ("reference mel", "Mel of the reference, computed once per voice."),
    "text": ("text", "Text to tokens and their embedding."),
    "ode": ("ODE", "Solving the flow: all evaluations of the model."),
    "vocoder": ("vocoder", "Mel to samples."),
    "cross_fade": ("cross-fade", "Joining the chunks."),
    "other": ("other", "What none of the stages explains."),
}


def _seconds_of(stage: str) -> Callable[[Times], float | None]:
    return lambda times: times.stages.get(stage)


for _stage, (_label, _about) in _ABOUT.items():
    measure(
        f"{_stage}_seconds", "s", _about, of=(RUN, CHUNK) if _stage in CHUNK_STAGES else (RUN,),
        label=_label, better="lower", digits=3,
    )(_seconds_of(_stage))  # fmt: skip


@measure(
    "mean_step_seconds", "s", "Mean of the steps of the ODE solver.",
    of=(CHUNK,), label="ODE step", better="lower", digits=4,
)  # fmt: skip
def mean_step(times: Times) -> float | None:
    """Mean seconds of an ODE step."""
    return sum(times.step_seconds) / len(times.step_seconds) if times.step_seconds else None
