"""Page: the ODE of a chunk from noise to speech, step by step, and a second one beside it."""

from __future__ import annotations

import streamlit as st

from workbench import figures
from workbench.engine.errors import WorkbenchError
from workbench.engine.runs.store import RunSummary, list_runs
from workbench.ui import document, style
from workbench.ui.flow import charts, choosing, making, sounds, stage
from workbench.ui.flow.states import Flow


def show(flows: list[Flow]) -> None:
    """Draw the states, paths and distances of ``flows``."""
    st.text(flows[0].chunk.chunk.text)
    by_time = True
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    if len(flows) > 1:
        kind = row.segmented_control(
            "One slider moves both to the same", ["flow time t", "step"], default="flow time t", required=True,
            key="flow_by", persist_state="session",
        )  # fmt: skip
        by_time = kind == "flow time t"
    with row.popover("Picture", icon=":material/palette:", width="content"):
        decibels = st.slider("Dynamic range (dB)", 20, 120, 80, 5, key="flow_range", persist_state="session")
        colours = st.selectbox("Colours", figures.COLOUR_MAPS, key="flow_colours", persist_state="session")
    place = st.container()
    heard = [sounds.of(flow) for flow in flows]
    with place:
        stage.show(flows, heard, by_time=by_time, dynamic_range=float(decibels), colour_map=colours)
    st.caption(
        "The slider moves the picture, the flow time and the sound. The vocoder turns the state of a step into sound; "
        "the first states are noise. A state that would be louder than the finished chunk is lowered to its level."
    )
    making.second(flows[0])
    left, right = st.columns(2, gap="large")
    with left:
        charts.plane(flows)
    with right:
        charts.lengths(flows)


st.title("Flow")
st.caption(
    "A chunk starts as noise. At each step the model gives the direction towards speech, and the ODE solver follows it."
)
found: list[RunSummary] = []
try:
    found = [run for run in list_runs() if run.has_trajectory]
    held = document.current()
    if held and held not in {run.id for run in found} and document.run() is not None:
        st.info("The run you hear kept no states of its ODE. Make it again below with its states, or look at another.")
    if found:
        show(choosing.choose(found))
    else:
        style.empty("No run with its states yet. Make one below; one sentence is enough.")
except WorkbenchError as error:  # one run cannot be read: the page below still works
    st.error(str(error))
try:
    lacks = bool(document.current()) and document.current() not in {run.id for run in found}
    making.one(expanded=not found or lacks)
    charts.time_grids()
except WorkbenchError as error:
    st.error(str(error))
