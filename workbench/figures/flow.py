"""Figures of a chunk's ODE: an animation of its states, the length of each step, and the time grids."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.figures.base import COLOUR_MAPS, dress, ink
from workbench.figures.spectra import mel_png
from workbench.figures.theme import stage_colour

_FRAME_COLUMNS = 700
_FRAME_MILLISECONDS = 180


def animation(
    states: np.ndarray,
    times: np.ndarray,
    steps: Sequence[int],
    config: MelConfig = MelConfig(),
    *,
    dynamic_range: float = 80.0,
    colour_map: str = COLOUR_MAPS[0],
    dark: bool = False,
    height: int = 440,
) -> go.Figure:
    """Animation from noise to speech with a slider and a play button; runs in the browser without the server.

    Args:
        states: [k, frames, n_mels] of ``Trajectory.states``: natural-log mels.
        times: flow time of each state.
        steps: ODE step that ended in each state.
        config: mel settings.
        dynamic_range: dB below the maximum of the finished mel at which the colours end, the same in every frame.
        colour_map: one of ``COLOUR_MAPS``.
        dark: colours for a dark page.
        height: pixels.
    """
    seconds = max(len(states[0]) - 1, 1) / config.frames_per_second
    top = float(spectra.mel_decibels(states[-1].astype(np.float32)).max())
    style: dict[str, Any] = {"top": top, "dynamic_range": dynamic_range, "colour_map": colour_map, "row_pixels": 1}
    pictures = [
        mel_png(spectra.mel_decibels(s.astype(np.float32)), max_columns=_FRAME_COLUMNS, **style) for s in states
    ]
    names = [f"{step} (t = {t:.3f})" for step, t in zip(steps, times, strict=True)]
    fig = go.Figure(go.Scatter(x=[0, seconds], y=[0, 1], mode="markers", marker={"opacity": 0}, hoverinfo="skip"))
    fig.frames = [
        go.Frame(name=name, layout={"images": [_image(picture, seconds)]})
        for name, picture in zip(names, pictures, strict=True)
    ]
    dress(fig, dark, height, images=[_image(pictures[-1], seconds)])
    _add_controls(fig, names, dark)
    fig.update_xaxes(range=[0, seconds], title_text="time (s)", showgrid=False, zeroline=False)
    _mel_ticks(fig, config)
    return fig.update_layout(margin={"l": 56, "r": 16, "t": 12, "b": 170})


def _image(picture: bytes, seconds: float) -> dict[str, Any]:
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    return {"source": source, "xref": "x", "yref": "y", "x": 0, "y": 1, "sizex": seconds, "sizey": 1,
            "sizing": "stretch", "layer": "below"}  # fmt: skip


def _mel_ticks(fig: go.Figure, config: MelConfig) -> None:
    top = spectra.to_mel(np.array(config.target_sample_rate / 2))
    ticks = [500, 1000, 2000, 4000, 8000]
    at = (spectra.to_mel(np.array(ticks)) / top).tolist()
    labels = [f"{hz / 1000:g}k" if hz >= 1000 else str(hz) for hz in ticks]
    fig.update_yaxes(range=[0, 1], tickvals=at, ticktext=labels, title_text="Hz", showgrid=False, zeroline=False)


def _add_controls(fig: go.Figure, names: Sequence[str], dark: bool) -> None:
    """Add a slider over the frames, and buttons to start and stop."""
    colours = ink(dark)
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    run = now | {"frame": {"duration": _FRAME_MILLISECONDS, "redraw": False}, "fromcurrent": False}
    fig.update_layout(
        sliders=[
            {
                "active": len(names) - 1,
                "x": 0,
                "len": 1,
                "y": -0.12,
                "pad": {"t": 18, "b": 0},
                "currentvalue": {"prefix": "ODE step ", "font": {"size": 12, "color": colours.text}},
                "steps": [
                    {"label": name.split(" ")[0], "method": "animate", "args": [[name], now], "value": name}
                    for name in names
                ],
                "font": {"size": 10, "color": colours.muted},
                "bgcolor": colours.grid,
                "activebgcolor": colours.border,
                "bordercolor": colours.muted,
                "tickcolor": colours.muted,
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "xanchor": "left",
                "y": -0.5,
                "yanchor": "top",
                "pad": {"t": 18, "r": 6},
                "showactive": False,
                "bgcolor": colours.paper,
                "bordercolor": colours.muted,
                "font": {"size": 12, "color": colours.text},
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [list(names), run]},
                    {"label": "Pause", "method": "animate", "args": [[None], now]},
                ],
            }
        ],
    )


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
        "title": {"text": "speed", "font": {"size": 12, "color": ink(dark).muted}},
        "rangemode": "tozero",
        "showgrid": False,
    }
    fig.update_layout(yaxis2=right | {"tickfont": {"size": 11, "color": ink(dark).muted}, "tickmode": "auto"})
    fig.update_xaxes(title_text="ODE step", dtick=1 if len(moved) <= 16 else None)
    fig.update_yaxes(title_text="distance (RMS)", rangemode="tozero", selector={"side": None})
    return fig.update_layout(margin={"l": 56, "r": 56, "t": 40, "b": 42})


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
    return fig.update_layout(margin={"l": 16, "r": 16, "t": 10, "b": 42})
