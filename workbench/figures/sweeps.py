"""Figures of a sweep: a measure over one or two axes, over all axes, and one measure against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from workbench.engine import measures
from workbench.engine.files import outputs
from workbench.engine.sweeps import tables
from workbench.figures.base import colour_scale, dress, ink
from workbench.figures.theme import chunk_colour, margins

Rows = Sequence[Mapping[str, Any]]
_LABEL_CHARACTERS = 40


def over_axes(
    rows: Rows, axes: Sequence[str], by: str, *, x: str = "", lines: str = "", dark: bool = False
) -> go.Figure:
    """Median of a measure over an axis, one line per value of another axis; bars show the quartiles.

    Args:
        rows: from ``Sweep.rows``.
        axes: of the grid.
        by: name of the measure.
        x: horizontal axis; by default the one with the most numbers.
        lines: axis of the lines; by default the next one. Other axes are pooled.
        dark: colours for a dark page.
    """
    kept = [axis for axis in axes if axis != "seed"] or ["repeat"]
    x = x or max(kept, key=lambda axis: (_is_numeric(rows, axis), len({str(row[axis]) for row in rows})))
    lines = lines or next((axis for axis in kept if axis != x), "")
    shown = [axis for axis in (x, lines) if axis]
    points = tables.summed_up(rows, shown, by)
    fig = go.Figure()
    for k, value in enumerate(dict.fromkeys(p[lines] if lines else "" for p in points)):
        own = [p for p in points if not lines or p[lines] == value]
        middle = [p["median"] for p in own]
        fig.add_trace(
            go.Scatter(
                name=f"{lines} {_short(value)}" if lines else by,
                x=[_label(p[x]) for p in own],
                y=middle,
                mode="lines+markers",
                line={"color": chunk_colour(k), "width": 2},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [p["q3"] - p["median"] for p in own],
                    "arrayminus": [p["median"] - p["q1"] for p in own],
                    "thickness": 1,
                },
                hovertemplate=f"{x} %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        )
    dress(fig, dark, 420)
    fig.update_xaxes(title_text=x)
    fig.update_yaxes(title_text=_title(by), rangemode="tozero")
    return fig.update_layout(margin=margins(l=64, r=12, t=44, b=42))


def heat_map(rows: Rows, x: str, y: str, by: str, *, dark: bool = False) -> go.Figure:
    """Median of a measure over two axes of the grid; points without finished trials stay empty."""
    found = {(_label(p[x]), _label(p[y])): p for p in tables.summed_up(rows, [x, y], by)}
    columns = list(dict.fromkeys(_label(row[x]) for row in rows))
    lines = list(dict.fromkeys(_label(row[y]) for row in rows))
    middle = [[(found.get((c, line)) or {}).get("median") for c in columns] for line in lines]
    fig = go.Figure(
        go.Heatmap(
            x=[str(c) for c in columns],
            y=[str(line) for line in lines],
            z=middle,
            colorscale=colour_scale("viridis"),
            colorbar={"title": {"text": _title(by), "side": "right"}, "thickness": 12},
            texttemplate="%{z:.3g}",
            hovertemplate=f"{x} %{{x}}, {y} %{{y}}: %{{z:.4g}}<extra></extra>",
            hoverongaps=False,
        )
    )
    dress(fig, dark, 120 + 44 * max(len(lines), 4))
    fig.update_xaxes(title_text=x, type="category")
    fig.update_yaxes(title_text=y, type="category")
    return fig.update_layout(margin=margins(l=90, r=12, t=28, b=42))


def parallel(rows: Rows, axes: Sequence[str], measured: Sequence[str], by: str, *, dark: bool = False) -> go.Figure:
    """Every trial as a line over its axes and measures, coloured by the measure ``by``."""
    done = [row for row in rows if not row["error"] and row.get(by) is not None]
    dimensions = []
    for name in dict.fromkeys((*axes, *measured)):
        values = [row.get(name) for row in done]
        if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            dimensions.append({"label": _title(name), "values": values})
            continue
        names = list(dict.fromkeys(str(v) for v in values))
        dimensions.append(
            {
                "label": name,
                "values": [names.index(str(v)) for v in values],
                "tickvals": list(range(len(names))),
                "ticktext": [_short(n) for n in names],
            }
        )
    line = {"color": [row[by] for row in done], "colorscale": colour_scale("viridis"), "showscale": True}
    fig = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelfont={"color": ink(dark).text}))
    dress(fig, dark, 380)
    return fig.update_layout(margin=margins(l=64, r=40, t=60, b=24))


def trade_off(rows: Rows, x: str, y: str, axes: Sequence[str], *, dark: bool = False) -> go.Figure:
    """Every trial by two measures, with the Pareto front. Each point carries the id of its run."""
    done = [row for row in rows if not row["error"] and row.get(x) is not None and row.get(y) is not None]
    said = [", ".join(f"{axis} {_short(row[axis])}" for axis in axes) for row in done]
    fig = go.Figure(
        go.Scatter(
            name="trials",
            mode="markers",
            x=[row[x] for row in done],
            y=[row[y] for row in done],
            text=said,
            customdata=[row["run"] for row in done],
            marker={"color": chunk_colour(0), "size": 9, "opacity": 0.7},
            hovertemplate="%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
        )
    )
    front = tables.pareto([(row[x], row[y]) for row in done], (_better(x), _better(y)))
    fig.add_trace(
        go.Scatter(
            name="nothing is better in both",
            mode="lines+markers",
            x=[done[k][x] for k in front],
            y=[done[k][y] for k in front],
            text=[said[k] for k in front],
            customdata=[done[k]["run"] for k in front],
            line={"color": chunk_colour(1), "width": 2},
            hovertemplate="%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
        )
    )
    dress(fig, dark, 420)
    fig.update_xaxes(title_text=_title(x))
    fig.update_yaxes(title_text=_title(y))
    return fig.update_layout(margin=margins(l=64, r=12, t=44, b=42))


def write_html(fig: go.Figure, path: Path) -> Path:
    """Write ``fig`` as an HTML page that needs no network, and return its path.

    Raises:
        OutputError: the file cannot be written.
    """
    outputs.check_place(path)
    page = fig.to_html(include_plotlyjs=True, full_html=True)
    return outputs.save(path, page.encode(), outputs.stamp(path))


def _better(name: str) -> str:
    return next((m.better for m in measures.every() if m.name == name), "") or "lower"


def _title(name: str) -> str:
    return next((m.title for m in measures.every() if m.name == name), name)


def _is_numeric(rows: Rows, axis: str) -> bool:
    return all(isinstance(row[axis], (int, float)) and not isinstance(row[axis], bool) for row in rows)


def _label(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else _short(value)


def _short(value: Any) -> str:
    text = "unset" if value is None else " ".join(str(value).split())
    return text if len(text) <= _LABEL_CHARACTERS else text[: _LABEL_CHARACTERS - 1] + "…"
