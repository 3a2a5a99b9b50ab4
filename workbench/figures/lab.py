"""Figure of the loading lab: the stages of each cell, and the CPU load of its process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.figures.base import dress, ink
from workbench.figures.theme import STAGE_TITLES, margins, stage_colour

# finding files is grey elsewhere; here it includes the waiting and gets a colour
WAITING = "waiting for the Hub"
WAIT_COLOUR = "#d1434b"
BAR_PIXELS, LOAD_PIXELS, GAP_PIXELS, MARGIN_PIXELS = 26, 46, 12, 56
_STAGES = ("import", "reference_mel", "resolve", "read_weights", "build", "to_device", "warmup", "text", "ode",
           "vocoder")  # fmt: skip


def stage_title(stage: str) -> str:
    """Title of a stage in the lab."""
    return WAITING if stage == "resolve" else STAGE_TITLES.get(stage, stage)


def lab_timeline(cells: Sequence[Mapping[str, Any]], end_seconds: float, *, dark: bool = False) -> go.Figure:
    """One bar for each cell, and below it the CPU load of its process.

    Args:
        cells: with ``network``, ``spans`` and, when finished, ``utilisation`` and ``total_seconds``.
        end_seconds: right end of the axis; use the same value for figures to compare.
        dark: colours for a dark page.
    """
    heights = [h for cell in cells for h in ((BAR_PIXELS, LOAD_PIXELS) if cell.get("utilisation") else (BAR_PIXELS,))]
    height = sum(heights) + GAP_PIXELS * (len(heights) - 1) + MARGIN_PIXELS
    fig = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, row_heights=heights,
        vertical_spacing=GAP_PIXELS / (height - MARGIN_PIXELS),
    )  # fmt: skip
    dress(fig, dark, height, barmode="overlay", bargap=0.0, hovermode="closest")
    row = 0
    for cell in cells:
        row += 1
        _add_bar(fig, cell, row)
        if cell.get("utilisation"):
            row += 1
            _add_load(fig, cell, row, dark)
    fig.update_xaxes(range=[0, end_seconds * 1.22], zeroline=False)
    fig.update_xaxes(title_text="seconds since the process was started", row=len(heights), col=1)
    return fig.update_layout(margin=margins(l=74, r=8, t=14, b=42), showlegend=False)


def stages_of(cells: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(title, colour) of the stages in ``cells``, in order of the work, for one legend of all bars."""
    found = {span["name"] for cell in cells for span in cell.get("spans", ())}
    return [(stage_title(stage), _colour(stage)) for stage in _STAGES if stage in found]


def _colour(stage: str) -> str:
    return WAIT_COLOUR if stage == "resolve" else stage_colour(stage)


def _add_bar(fig: go.Figure, cell: Mapping[str, Any], row: int) -> None:
    for stage in _STAGES:
        own = [s for s in cell["spans"] if s["name"] == stage]
        if own:
            fig.add_trace(go.Bar(
                orientation="h", y=[cell["network"]] * len(own), base=[s["start_seconds"] for s in own],
                x=[s["seconds"] for s in own], marker={"color": _colour(stage), "line": {"width": 0}},
                hovertemplate=stage_title(stage) + " %{x:.2f} s, from %{base:.2f} s<extra></extra>",
            ), row=row, col=1)  # fmt: skip
    if cell.get("total_seconds"):
        total = cell["total_seconds"]
        fig.add_annotation(x=total, y=cell["network"], text=f"<b>{total:.1f} s</b>", showarrow=False, xanchor="left",
                           xshift=5, row=row, col=1)  # fmt: skip
    fig.update_yaxes(showgrid=False, range=[-0.5, 0.5], row=row, col=1)
    fig.update_xaxes(showgrid=False, row=row, col=1)


def _add_load(fig: go.Figure, cell: Mapping[str, Any], row: int, dark: bool) -> None:
    samples, colours = cell["utilisation"], ink(dark)
    lines: list[tuple[str, str, str, str | None]]
    lines = [("this process, CPU", "process_cpu_percent", colours.series[0], "tozeroy")]
    if any(s.get("gpu_percent") is not None for s in samples):
        lines.append(("GPU", "gpu_percent", colours.series[1], None))
    for name, key, colour, fill in lines:
        fig.add_trace(go.Scatter(
            name=name, x=[s["seconds"] for s in samples], y=[s[key] for s in samples], mode="lines", fill=fill,
            line={"color": colour, "width": 1.3},
            hovertemplate=name + " %{y:.0f} % of the machine, %{x:.1f} s<extra></extra>",
        ), row=row, col=1)  # fmt: skip
    fig.update_yaxes(range=[0, 105], tickvals=[0, 100], title_text="CPU %", title_standoff=0, row=row, col=1)
