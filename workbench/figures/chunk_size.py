"""Figures of the cost of chunk sizes, and of measured chunks with the fitted cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.engine.speech.costs import CostModel, Option, Point
from workbench.figures.base import dress, ink
from workbench.figures.theme import margins, stage_colour


def size_curves(
    options: Sequence[Option],
    chosen: int,
    *,
    unit: str = "s",
    cost: CostModel | None = None,
    known_frames: int = 0,
    frames_per_second: float = 93.75,
    measured: Sequence[tuple[int, float, float]] = (),
    recommended: int | None = None,
    dark: bool = False,
) -> go.Figure:
    """Total cost, time to first audio and the reference's share over the chunk size in bytes.

    Args:
        options: from ``costs.scan``, ordered by size.
        chosen: size marked by a line.
        unit: unit of the cost: "s", or "frames" before a measurement.
        cost: with it a band of one standard deviation is drawn around the total.
        known_frames: longest measured chunk. Sizes with longer ones are drawn dashed: nothing was measured there.
        frames_per_second: of the mel.
        measured: (size, total seconds, first-audio seconds) of finished runs of this text.
        recommended: size marked by a second line.
        dark: colours for a dark page.
    """
    colours = ink(dark)
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.66, 0.34], vertical_spacing=0.08)
    n_known = sum(o.longest_seconds * frames_per_second <= known_frames for o in options) if cost else len(options)
    if cost is not None:
        _add_band(fig, options, cost)
    curves = (
        ("whole text", [o.prediction.total_seconds for o in options], stage_colour("ode"), 1, f"%{{y:.2f}} {unit}"),
        ("first audio", [o.prediction.first_seconds for o in options], stage_colour("vocoder"), 1,
         f"%{{y:.2f}} {unit}"),
        ("reference share", [100 * o.prediction.reference_share for o in options], colours.muted, 2, "%{y:.0f} %"),
    )  # fmt: skip
    sizes = [o.max_bytes for o in options]
    for name, values, colour, row, form in curves:
        known = n_known if row == 1 else len(options)
        _add_curve(fig, name, sizes, values, colour, row, form, known)
    for name, column, colour in (
        ("measured whole text", 1, stage_colour("ode")),
        ("measured first audio", 2, stage_colour("vocoder")),
    ):
        if measured:
            mark = {"color": colour, "size": 9, "symbol": "circle-open", "line": {"width": 2}}
            x, y = [m[0] for m in measured], [m[column] for m in measured]
            template = f"{name} %{{y:.2f}} s at %{{x}} bytes<extra></extra>"
            fig.add_trace(
                go.Scatter(name=name, x=x, y=y, mode="markers", marker=mark, hovertemplate=template), row=1, col=1
            )
    dress(fig, dark, 400, hovermode="closest")
    _add_line(fig, chosen, f"{chosen} bytes, looked at", {"color": colours.text, "width": 1.5})
    if recommended is not None and recommended != chosen:
        style = {"color": stage_colour("text"), "width": 1.5, "dash": "dot"}
        _add_line(fig, recommended, f"{recommended} bytes, recommended", style)
    fig.update_yaxes(rangemode="tozero", title_text=f"cost ({unit})", row=1, col=1)
    fig.update_yaxes(range=[0, 100], title_text="reference (%)", row=2, col=1)
    fig.update_xaxes(title_text="chunk size (bytes)", row=2, col=1)
    return fig.update_layout(margin=margins(l=64, r=12, t=64, b=42))


def _add_band(fig: go.Figure, options: Sequence[Option], cost: CostModel) -> None:
    """One standard deviation around the total: the errors of chunks are taken as independent."""
    sizes = [o.max_bytes for o in options]
    error = [cost.error * o.n_chunks**0.5 for o in options]
    total = [o.prediction.total_seconds for o in options]
    high = [t + e for t, e in zip(total, error, strict=True)]
    low = [max(t - e, 0.0) for t, e in zip(total, error, strict=True)]
    fig.add_trace(
        go.Scatter(
            name="± 1 standard deviation", x=[*sizes, *sizes[::-1]], y=[*high, *low[::-1]], fill="toself",
            fillcolor=stage_colour("ode"), opacity=0.18, line={"width": 0}, hoverinfo="skip", mode="lines",
        ), row=1, col=1,
    )  # fmt: skip


def _add_curve(
    fig: go.Figure, name: str, sizes: list[int], values: list[float], colour: str, row: int, form: str, n_known: int
) -> None:
    """A curve, solid where sizes were measured and dashed beyond."""
    template = f"{name} {form} at %{{x}} bytes"
    if n_known:
        fig.add_trace(
            go.Scatter(name=name, x=sizes[:n_known], y=values[:n_known], mode="lines",
                       line={"color": colour, "width": 2}, hovertemplate=f"{template}<extra></extra>"),
            row=row, col=1,
        )  # fmt: skip
    if n_known < len(sizes):
        first = max(n_known - 1, 0)
        fig.add_trace(
            go.Scatter(name=f"{name}, beyond what was measured", x=sizes[first:], y=values[first:], mode="lines",
                       line={"color": colour, "width": 2, "dash": "dash"},
                       hovertemplate=f"{template}, beyond what was measured<extra></extra>"),
            row=row, col=1,
        )  # fmt: skip


def _add_line(fig: go.Figure, at: int, name: str, style: dict[str, object]) -> None:
    """A vertical line that the legend names."""
    fig.add_vline(x=at, line=style)
    fig.add_trace(go.Scatter(name=name, x=[None], y=[None], mode="lines", line=style), row=1, col=1)


def cost_fit(points: Sequence[Point], cost: CostModel | None, n_passes: int, *, dark: bool = False) -> go.Figure:
    """Measured seconds of chunks over their mel frames, and the three parts of the fitted cost."""
    fig = go.Figure()
    own = [p for p in points if p.n_passes == n_passes]
    other = [p for p in points if p.n_passes != n_passes]
    groups = (("measured", own, ink(dark).series[0]), ("measured, scaled from other steps", other, ink(dark).muted))
    for name, group, colour in groups:
        if group:
            fig.add_trace(
                go.Scatter(
                    name=name,
                    mode="markers",
                    x=[p.frames for p in group],
                    y=[p.seconds * n_passes / max(p.n_passes, 1) for p in group],
                    marker={"color": colour, "size": 7, "opacity": 0.8},
                    hovertemplate="%{y:.2f} s for %{x} frames<extra></extra>",
                )
            )
    if cost is not None and points:
        frames = np.linspace(0, max(p.frames for p in points) * 1.05, 80)
        parts = (
            ("fixed", np.full_like(frames, cost.fixed), "dot"),
            ("+ linear", cost.fixed + cost.linear * frames, "dash"),
            ("+ quadratic = fit", np.array([cost.seconds(n) for n in frames]), "solid"),
        )
        for name, values, dash in parts:
            line = {"color": stage_colour("vocoder"), "width": 2 if dash == "solid" else 1.2, "dash": dash}
            fig.add_trace(go.Scatter(name=name, x=frames, y=values, mode="lines", line=line, hoverinfo="skip"))
    dress(fig, dark, 300)
    fig.update_xaxes(title_text="mel frames of a chunk, reference included", rangemode="tozero")
    fig.update_yaxes(title_text="seconds", rangemode="tozero")
    return fig.update_layout(margin=margins(l=56, r=12, t=44, b=42))
