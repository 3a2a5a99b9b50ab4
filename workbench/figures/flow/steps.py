"""The length of each ODE step, its speed, and the flow times of the solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.figures.base import dress, ink
from workbench.figures.theme import margins, points, stage_colour


def distances(
    times: np.ndarray, moved: np.ndarray, step_seconds: Sequence[float] = (), *, dark: bool = False
) -> go.Figure:
    """Distance that each ODE step moves the state, and its speed (distance over flow time).

    Args:
        times: flow times of the grid [n_steps + 1].
        moved: root mean square change of the state in each step [n_steps].
        step_seconds: seconds of each step, for the hover text.
        dark: colours for a dark page.
    """
    steps = np.arange(1, len(moved) + 1)
    speed = moved / np.maximum(np.diff(times), 1e-9)
    took = list(step_seconds) if len(step_seconds) == len(moved) else [float("nan")] * len(moved)
    data = np.stack([times[1:], np.array(took)], axis=1)
    fig = go.Figure(
        go.Bar(
            name="distance",
            x=steps,
            y=moved,
            marker={"color": stage_colour("ode")},
            customdata=data,
            hovertemplate="step %{x}: moved %{y:.3f}, to t = %{customdata[0]:.3f}, "
            "in %{customdata[1]:.3f} s<extra></extra>",
        )
    )
    line = {"color": ink(dark).series[1], "width": 2}
    fig.add_trace(
        go.Scatter(name="speed (distance / flow time)", x=steps, y=speed, yaxis="y2", mode="lines+markers", line=line,
                   marker={"size": 4}, hovertemplate="step %{x}: speed %{y:.2f}<extra></extra>")
    )  # fmt: skip
    dress(fig, dark, 280, bargap=0.15)
    right = {
        "overlaying": "y",
        "side": "right",
        "title": {"text": "speed", "font": {"size": points(12), "color": ink(dark).muted}},
        "rangemode": "tozero",
        "showgrid": False,
    }
    fig.update_layout(yaxis2=right | {"tickfont": {"size": points(12), "color": ink(dark).muted}, "tickmode": "auto"})
    # room for step 0, the noise: the page marks the state that it shows
    fig.update_xaxes(title_text="ODE step", dtick=1 if len(moved) <= 16 else None, range=[-0.5, len(moved) + 0.5])
    fig.update_yaxes(title_text="distance (RMS)", rangemode="tozero", selector={"side": None})
    return fig.update_layout(margin=margins(l=56, r=56, t=40, b=42))


def speeds(flows: Mapping[str, tuple[np.ndarray, np.ndarray]], *, dark: bool = False) -> go.Figure:
    """Speed of several flows over flow time: a step is as wide as its flow time, so its area is the distance it moves.

    Args:
        flows: name to flow times of the grid [n_steps + 1] and root mean square change in each step [n_steps].
        dark: colours for a dark page.
    """
    fig = go.Figure()
    for (name, (times, moved)), colour in zip(flows.items(), ink(dark).series, strict=False):
        widths = np.maximum(np.diff(times), 1e-9)
        speed = moved / widths
        ends = np.stack([np.arange(1, len(times) + 1), np.append(moved, moved[-1:])], axis=1)
        fig.add_trace(
            go.Scatter(
                name=name, x=times, y=np.append(speed, speed[-1:]), mode="lines+markers", marker={"size": 5},
                line={"shape": "hv", "width": 2, "color": colour}, customdata=ends,
                fill="tozeroy", fillcolor=_clear(colour),
                hovertemplate="step %{customdata[0]:.0f}, from t = %{x:.3f}: speed %{y:.2f}, "
                              "moved %{customdata[1]:.3f}",
            )
        )  # fmt: skip
    dress(fig, dark, 280)
    fig.update_xaxes(range=[-0.01, 1.01], title_text="flow time t: 0 is noise, 1 is speech", zeroline=False)
    fig.update_yaxes(title_text="speed (RMS / t)", rangemode="tozero")
    return fig.update_layout(margin=margins(l=56, r=16, t=40, b=42))


def _clear(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.14)"


def time_grids(grids: Mapping[str, np.ndarray], chosen: str = "", *, dark: bool = False) -> go.Figure:
    """Flow times of the solver, one row for each grid; ``chosen`` is highlighted.

    Args:
        grids: name to flow times from 0 (noise) to 1 (speech).
        chosen: name of the highlighted grid.
        dark: colours for a dark page.
    """
    colours = ink(dark)
    fig = go.Figure()
    for name, grid in grids.items():
        colour = stage_colour("ode") if name == chosen else colours.muted
        fig.add_trace(
            go.Scatter(
                name=name,
                x=grid,
                y=[name] * len(grid),
                mode="lines+markers",
                line={"color": colours.grid, "width": 1},
                marker={"symbol": "line-ns-open", "size": 18, "line": {"width": 2}, "color": colour},
                customdata=np.arange(len(grid)),
                hovertemplate="after step %{customdata}: t = %{x:.4f}<extra>%{y}</extra>",
            )
        )
    dress(fig, dark, 80 + 42 * len(grids), showlegend=False)
    fig.update_xaxes(range=[-0.02, 1.02], title_text="flow time t: 0 is noise, 1 is speech", zeroline=False)
    fig.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    return fig.update_layout(margin=margins(l=16, r=16, t=10, b=42))
