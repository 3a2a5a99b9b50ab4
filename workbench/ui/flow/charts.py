"""The plane of the paths, the length of the steps, and the time grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from workbench import figures
from workbench.engine.rules import EPSS_STEPS
from workbench.ui.flow.states import Flow, grid_of, plane_of
from workbench.ui.parts.theme import is_dark


def plane(flows: Sequence[Flow]) -> None:
    """Draw the paths of all flows in the plane in which their states differ most."""
    st.header("Path in a plane")
    found = plane_of(list(flows))
    times = {_name(flow, flows): flow.path.times for flow in flows}
    figure = figures.trajectory_plane(found, times, dark=is_dark()).update_layout(meta={"flow": "plane"})
    st.plotly_chart(
        figure, theme=None, key="flow_plane", config=figures.CONFIG,
        alt="The states of each flow as points in a plane, from noise to speech",
    )  # fmt: skip
    shares = [f"{100 * share:.{0 if share >= 0.1 else 1}f} %" for share in found.explained]
    lengths = {len(flow.path.states[0]) for flow in flows}
    cut = f" They differ in length: the plane is of their first {found.n_frames} frames." if len(lengths) > 1 else ""
    st.caption(
        f"Each point is a whole mel. The two axes are the directions in which the states differ most (principal "
        f"components): they hold {shares[0]} and {shares[1]} of the variance, so what bends out of the plane is not "
        f"seen.{cut}"
    )


def lengths(flows: Sequence[Flow]) -> None:
    """Draw how far each step moves: over the steps of one flow, over flow time for two."""
    st.header("Distance travelled")
    if len(flows) == 1:
        (flow,) = flows
        moved = flow.path.distances
        figure, kind = figures.distances(flow.grid, moved, flow.chunk.timing.step_seconds, dark=is_dark()), "step"
    else:
        figure = figures.speeds({_name(f, flows): (f.grid, f.path.distances) for f in flows}, dark=is_dark())
        kind = "time"
    st.plotly_chart(
        figure.update_layout(meta={"flow": kind}), theme=None, key="flow_distances", config=figures.CONFIG,
        alt="Distance and speed of each step of the ODE",
    )  # fmt: skip
    said = []
    for flow in flows:
        moved = flow.path.distances
        half = int(np.searchsorted(np.cumsum(moved), moved.sum() / 2)) + 1
        name = f"{flow.letter}: half" if len(flows) > 1 else "Half"
        said.append(f"{name} of the distance is covered after step {half} of {len(moved)}")
    about = "The area of a step is the distance that it moves." if len(flows) > 1 else (
        "Root mean square change of the mel in each step."
    )  # fmt: skip
    st.caption(f"{about} {'; '.join(said)}.")


def _name(flow: Flow, flows: Sequence[Flow]) -> str:
    return flow.letter if len(flows) > 1 else "the chunk"


def time_grids() -> None:
    """Draw the flow times of the steps, with and without sway sampling and EPSS."""
    st.header("Time grid")
    one, two = st.columns(2)
    steps = one.slider("ODE steps", 2, 64, 16, key="grid_steps", help=f"EPSS grids exist for {EPSS_STEPS}.")
    sway = two.slider("Sway", -1.0, 1.0, -1.0, 0.1, key="grid_sway", help="Below 0: small steps early. Paper: -1.")
    grids = {"uniform": grid_of(steps, None, False), f"sway {sway:g}": grid_of(steps, sway, False)}
    chosen = f"sway {sway:g}"
    if steps in EPSS_STEPS:
        chosen = f"EPSS + sway {sway:g}"
        grids |= {"EPSS": grid_of(steps, None, True), chosen: grid_of(steps, sway, True)}
    st.plotly_chart(
        figures.time_grids(grids, chosen, dark=is_dark()), theme=None, key="flow_grids", config=figures.CONFIG,
        alt="Flow times of the steps, uniform, with sway sampling and with EPSS",
    )  # fmt: skip
    if steps not in EPSS_STEPS:
        st.caption(f"There is no EPSS grid for {steps} steps. EPSS grids exist for {', '.join(map(str, EPSS_STEPS))}.")
