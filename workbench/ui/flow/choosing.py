"""Choose the flows: A is the run you hear if it kept its states, B another one beside it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from workbench.engine.errors import RunError
from workbench.engine.runs.store import RunSummary
from workbench.engine.speech.results import Run
from workbench.ui import document, resources
from workbench.ui.flow.states import Flow
from workbench.ui.runs import sources

_NONE = ""


def run_with_states(run_id: str) -> Run:
    """Load a run with the states of its ODE, up to 256 MB. Raises RunError."""
    with st.spinner("Reading the run"):
        return resources.saved_run(run_id, trajectories=True)


def choose(runs: Sequence[RunSummary]) -> list[Flow]:
    """Draw the choice of A, its chunk, and B; return one or two flows.

    Args:
        runs: those that kept their states, at least one.

    Raises:
        RunError: a run cannot be read.
    """
    labels = {run.id: sources.run_label(run) for run in runs}
    ids, held, other = list(labels), document.current(), document.second()
    one, two = st.columns(2, gap="large")
    first = one.selectbox(
        "Flow A", ids, index=ids.index(held) if held in labels else 0, format_func=labels.__getitem__,
        key=f"flow_A_{held or ''}",
    )  # fmt: skip
    if held in labels and first != held:
        document.show(first)
    rest = [_NONE, *(i for i in ids if i != first)]
    second = two.selectbox(
        "Flow B", rest, index=rest.index(other) if other in rest else 0, key=f"flow_B_{first}_{other or ''}",
        format_func=lambda i: labels.get(i, "none: look at A alone"),
    )  # fmt: skip
    if second and second != other:
        if first != held:  # B belongs to the run you hear
            st.session_state["second_id"] = second
            document.show(first)
        document.compare_with(second)
    if not second and other in rest:
        document.compare_with(None)
    a = _flow("A", run_with_states(first), one, None)
    flows = [a]
    if second:
        try:
            flows.append(_flow("B", run_with_states(second), two, a))
        except RunError as error:
            two.error(str(error))
    return flows


def _flow(letter: str, run: Run, place: st.delta_generator.DeltaGenerator, beside: Flow | None) -> Flow:
    """Return the chunk that is chosen of ``run``; B begins at the chunk with the words of A."""
    kept = [c.chunk.index for c in run.chunks if c.trajectory is not None]
    index = kept[0]
    if beside is not None:
        index = next((k for k in kept if run.chunks[k].chunk.text == beside.chunk.chunk.text), index)
    if len(kept) > 1:
        index = place.selectbox(
            f"Chunk {letter}", kept, index=kept.index(index), key=f"flow_chunk_{letter}_{run.id}_{index}",
            format_func=lambda k: f"{k + 1}: {run.chunks[k].chunk.text}",
        )  # fmt: skip
    return Flow(letter, run, index)
