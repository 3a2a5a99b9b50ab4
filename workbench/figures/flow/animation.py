"""An animation of the states of a chunk's ODE, which needs no server: for notebooks."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.figures.base import COLOUR_MAPS, colour_scale, dress, ink
from workbench.figures.stacked.pictures import mel_png
from workbench.figures.theme import margins, points

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
    """Animation from noise to speech with a slider and a play button; it opens at the noise.

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
    bar = {"title": {"text": "dB", "side": "top"}, "thickness": 10, "tickfont": {"size": points(12)}, "nticks": 5,
           "x": 1.005, "outlinewidth": 0}  # fmt: skip
    scale = {"color": [top - dynamic_range, top], "cmin": top - dynamic_range, "cmax": top, "showscale": True}
    marker = {"opacity": 0, "colorscale": colour_scale(colour_map), "colorbar": bar} | scale
    fig = go.Figure(go.Scatter(x=[0, seconds], y=[0, 1], mode="markers", marker=marker, hoverinfo="skip"))
    fig.frames = [
        go.Frame(name=name, layout={"images": [_image(picture, seconds)]})
        for name, picture in zip(names, pictures, strict=True)
    ]
    dress(fig, dark, height, images=[_image(pictures[0], seconds)])
    _add_controls(fig, names, dark)
    fig.update_xaxes(range=[0, seconds], title_text="time (s)", showgrid=False, zeroline=False)
    _mel_ticks(fig, config)
    return fig.update_layout(margin=margins(l=56, r=64, t=20, b=170))


def _image(picture: bytes, seconds: float) -> dict[str, Any]:
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    return {"source": source, "xref": "x", "yref": "y", "x": 0, "y": 1, "sizex": seconds, "sizey": 1,
            "sizing": "stretch", "layer": "below"}  # fmt: skip


def _mel_ticks(fig: go.Figure, config: MelConfig) -> None:
    top = spectra.to_mel(np.array(config.target_sample_rate / 2))
    ticks = [100, 500, 1000, 2000, 4000, 8000]
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
                "active": 0,
                "x": 0,
                "len": 1,
                "y": -0.12,
                "pad": {"t": 18, "b": 0},
                "currentvalue": {"prefix": "ODE step ", "font": {"size": points(12), "color": colours.text}},
                "steps": [
                    {"label": name.split(" ")[0], "method": "animate", "args": [[name], now], "value": name}
                    for name in names
                ],
                "font": {"size": points(12), "color": colours.muted},
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
                "font": {"size": points(12), "color": colours.text},
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [list(names), run]},
                    {"label": "Pause", "method": "animate", "args": [[None], now]},
                ],
            }
        ],
    )
