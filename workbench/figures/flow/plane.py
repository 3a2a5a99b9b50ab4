"""Trajectories in the plane in which their states differ most."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from workbench.engine.signal.trajectory import Plane
from workbench.figures.base import dress, ink
from workbench.figures.theme import margins, points

_LABELS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # flow times whose points are named
_APART = 0.12  # of the width; a label nearer than this to another is left out


def trajectory_plane(plane: Plane, times: Mapping[str, np.ndarray], *, dark: bool = False) -> go.Figure:
    """The paths of one or two flows in one plane. Both axes have the same scale, so lengths compare.

    Args:
        plane: of ``engine.signal.trajectory.plane``.
        times: name to flow time of each state, in the order of ``plane.paths``.
        dark: colours for a dark page.
    """
    colours = ink(dark)
    fig = go.Figure()
    width = max(float(np.ptp(np.concatenate(plane.paths)[:, 0])), 1e-9)
    taken: list[np.ndarray] = []
    for (name, t), path, colour in zip(times.items(), plane.paths, colours.series, strict=False):
        texts = [""] * len(path)
        for wanted in _LABELS:
            at = int(np.abs(t - wanted).argmin())
            if all(np.linalg.norm(path[at] - other) > _APART * width for other in taken):
                texts[at] = f"t {t[at]:.2f}"
                taken.append(path[at])
        fig.add_trace(
            go.Scatter(
                name=name, x=path[:, 0], y=path[:, 1], mode="lines+markers+text", text=texts, textposition="top center",
                textfont={"size": points(12), "color": colours.muted}, line={"color": colour, "width": 2},
                cliponaxis=False,
                marker={"size": [10 if k in (0, len(path) - 1) else 6 for k in range(len(path))], "color": colour},
                customdata=np.stack([np.arange(len(path)), t], axis=1),
                hovertemplate="state %{customdata[0]:.0f}, t = %{customdata[1]:.3f}",
            )
        )  # fmt: skip
    dress(fig, dark, 380, hovermode="closest")
    first, second = (f"{100 * share:.{0 if share >= 0.1 else 1}f}" for share in plane.explained)
    fig.update_xaxes(title_text=f"first axis: {first} % of the variance", zeroline=False)
    fig.update_yaxes(title_text=f"second axis: {second} %", zeroline=False, scaleanchor="x")
    return fig.update_layout(margin=margins(l=56, r=16, t=40, b=44))
