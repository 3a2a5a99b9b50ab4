"""Figures of timings: stages of each chunk with the load of the machine, loading, and runs side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.engine.timing import Sample, Span
from workbench.figures.base import dress, ink
from workbench.figures.theme import STAGE_TITLES, margins, stage_colour

LOAD_STAGES = ("import", "resolve", "read_weights", "build", "to_device", "warmup")
MAX_STEPS = 600  # more marks cannot be told apart
_NO_CHUNK = "run"


def gantt_with_utilisation(
    spans: Iterable[Span], utilisation: Sequence[Sample] = (), *, dark: bool = False, row_pixels: int = 26
) -> go.Figure:
    """One bar for each stage and chunk, and below it, on the same time axis, the load of the machine.

    Args:
        spans: spans of a run; those of loading, which end at 0, are left out (see ``load_bars``).
        utilisation: samples of ``monitor.Monitor``; without samples the lower part is left out.
        dark: colours for a dark page.
        row_pixels: height of a chunk's row.
    """
    spans = [s for s in spans if s.start_seconds >= 0 and s.name not in LOAD_STAGES]
    rows = _rows(spans)
    begin = min((s.start_seconds for s in spans), default=0.0)
    end = max([s.end_seconds for s in spans] + [u.seconds for u in utilisation], default=1.0)
    if begin < (end - begin) / 20:
        begin = 0.0  # the axis says where the run began, unless only later chunks are shown
    upper = max(2, len(rows)) * row_pixels + 10
    lower = (120, 80) if utilisation else ()
    height = upper + sum(lower) + 30 * len(lower) + 86
    fig = make_subplots(
        rows=1 + len(lower),
        cols=1,
        shared_xaxes=True,
        row_heights=[upper, *lower],
        vertical_spacing=30 / (height - 86) if lower else 0,
    )
    dress(fig, dark, height, barmode="overlay", bargap=0.25, hovermode="closest")
    _add_stages(fig, spans, rows)
    _add_steps(fig, spans, rows)
    fig.update_yaxes(autorange="reversed", showgrid=False, row=1, col=1)
    if utilisation:
        _add_load(fig, utilisation, dark)
        _add_memory(fig, utilisation, dark)
    fig.update_xaxes(range=[begin, end + (end - begin) * 0.01], zeroline=False)
    fig.update_xaxes(title_text="seconds since the run began", row=1 + len(lower), col=1)
    return fig.update_layout(margin=margins(l=64, r=16, t=40, b=42))


def _rows(spans: Sequence[Span]) -> dict[int | None, str]:
    """Chunk index to the name of its row; None for work outside of chunks, if there is any."""
    indices = sorted({s.chunk_index for s in spans if s.chunk_index is not None})
    rows: dict[int | None, str] = {k: f"chunk {k + 1}" for k in indices}
    if any(s.chunk_index is None for s in spans):
        rows[None] = _NO_CHUNK
    return rows


def _add_stages(fig: go.Figure, spans: Sequence[Span], rows: Mapping[int | None, str]) -> None:
    for stage in STAGE_TITLES:
        own = [s for s in spans if s.name == stage]
        if not own or stage == "ode.step":
            continue
        fig.add_trace(
            go.Bar(
                name=STAGE_TITLES[stage],
                orientation="h",
                y=[rows[s.chunk_index] for s in own],
                base=[s.start_seconds for s in own],
                x=[s.seconds for s in own],
                marker={"color": stage_colour(stage), "line": {"width": 0}},
                hovertemplate=STAGE_TITLES[stage] + " %{x:.3f} s, from %{base:.2f} s<extra>%{y}</extra>",
            ),
            row=1,
            col=1,
        )


def _add_steps(fig: go.Figure, spans: Sequence[Span], rows: Mapping[int | None, str]) -> None:
    """Mark the end of each ODE step inside the bar of the ODE."""
    steps = [s for s in spans if s.name == "ode.step"]
    if not steps or len(steps) > MAX_STEPS:
        return
    fig.add_trace(
        go.Scatter(
            name=STAGE_TITLES["ode.step"],
            mode="markers",
            x=[s.end_seconds for s in steps],
            y=[rows[s.chunk_index] for s in steps],
            marker={"symbol": "line-ns-open", "size": 9, "line": {"width": 1}, "color": stage_colour("ode.step")},
            customdata=[s.seconds for s in steps],
            hovertemplate="ODE step %{customdata:.3f} s<extra>%{y}</extra>",
        ),
        row=1,
        col=1,
    )


def _add_load(fig: go.Figure, samples: Sequence[Sample], dark: bool) -> None:
    x = [s.seconds for s in samples]
    first, second, third = ink(dark).series
    lines: list[tuple[str, list[float | None], str, str]] = [
        ("CPU, machine", [s.cpu_percent for s in samples], third, "dot"),
        ("CPU, this process", [s.process_cpu_percent for s in samples], first, "solid"),
    ]
    if any(s.gpu_percent is not None for s in samples):
        lines.append(("GPU", [s.gpu_percent for s in samples], second, "solid"))
    for name, y, colour, dash in lines:
        style = {"color": colour, "width": 1.5, "dash": dash}
        template = name + " %{y:.0f} %, %{x:.1f} s<extra></extra>"
        fig.add_trace(go.Scatter(name=name, x=x, y=y, mode="lines", line=style, hovertemplate=template), row=2, col=1)
    fig.update_yaxes(range=[0, 105], tickvals=[0, 50, 100], title_text="load (%)", row=2, col=1)


def _add_memory(fig: go.Figure, samples: Sequence[Sample], dark: bool) -> None:
    x = [s.seconds for s in samples]
    lines: list[tuple[str, list[float | None], str]]
    lines = [("memory", [s.memory_bytes / 1e9 for s in samples], ink(dark).series[0])]
    if any(s.gpu_memory_bytes is not None for s in samples):
        on_gpu = [s.gpu_memory_bytes / 1e9 if s.gpu_memory_bytes is not None else None for s in samples]
        lines.append(("GPU memory", on_gpu, ink(dark).series[1]))
    for name, y, colour in lines:
        style = {"color": colour, "width": 1.5, "dash": "dash"}
        template = name + " %{y:.2f} GB, %{x:.1f} s<extra></extra>"
        fig.add_trace(go.Scatter(name=name, x=x, y=y, mode="lines", line=style, hovertemplate=template), row=3, col=1)
    fig.update_yaxes(rangemode="tozero", nticks=4, title_text="GB", row=3, col=1)


def load_bars(spans: Iterable[Span], *, dark: bool = False) -> go.Figure:
    """Seconds of each stage of loading, as one bar. Loading happens once a server, so it is not in the run's figure."""
    totals: dict[str, float] = {}
    for span in spans:
        if span.name in LOAD_STAGES:
            totals[span.name] = totals.get(span.name, 0.0) + span.seconds
    fig = go.Figure()
    for stage, seconds in totals.items():
        fig.add_trace(
            go.Bar(
                name=f"{STAGE_TITLES[stage]} {seconds:.2f} s",
                orientation="h",
                y=["load"],
                x=[seconds],
                marker={"color": stage_colour(stage)},
                hovertemplate=STAGE_TITLES[stage] + " %{x:.3f} s<extra></extra>",
            )
        )
    dress(fig, dark, 150, barmode="stack")
    fig.update_xaxes(title_text="seconds", zeroline=False)
    fig.update_yaxes(showticklabels=False, showgrid=False)
    return fig.update_layout(margin=margins(l=16, r=16, t=56, b=40))


def stages_by_run(totals: Mapping[str, Mapping[str, float]], *, dark: bool = False) -> go.Figure:
    """One bar for each run, from ``totals``: name of the run to stage to seconds."""
    fig = go.Figure()
    for stage in [s for s in STAGE_TITLES if any(s in of_run for of_run in totals.values())]:
        fig.add_trace(
            go.Bar(
                name=STAGE_TITLES[stage],
                orientation="h",
                y=list(totals),
                x=[of_run.get(stage, 0.0) for of_run in totals.values()],
                marker={"color": stage_colour(stage)},
                hovertemplate=STAGE_TITLES[stage] + " %{x:.3f} s<extra>%{y}</extra>",
            )
        )
    dress(fig, dark, 100 + 34 * len(totals), barmode="stack", bargap=0.3)
    fig.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    fig.update_xaxes(title_text="seconds", zeroline=False)
    return fig
