"""One number of many runs against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from workbench.figures.base import dress
from workbench.figures.theme import CHUNK_COLOURS, chunk_colour, margins

_SMALL_FROM = 1_000  # points from which markers are small
_DRAWN_MAX = 3_000  # a browser needs a second for them, as each is an element; WebGL would need a looser content policy
_CELLS = (300, 150)  # of more points than _SMALL_FROM, those within one cell are drawn once
_LABEL_CHARACTERS = 40


@dataclass(frozen=True)
class Point:
    """A run in the figure: its id, both numbers, and the name of its group; "" if there are no groups."""

    id: str
    x: float
    y: float
    group: str = ""


def scatter(points: Sequence[Point], x_title: str, y_title: str, *, dark: bool = False) -> go.Figure:
    """A point a run, a colour a group; the last colour is for all further groups. Each point carries the run's id.

    Of more than 1,000 points, the first of each of ``heaps`` is drawn; at most 3,000 are.
    """
    n_points = len(points)
    points = [heap[0] for heap in heaps(points)]
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    largest = sorted(groups, key=lambda name: -len(groups[name]))
    if len(largest) > len(CHUNK_COLOURS):
        kept = largest[: len(CHUNK_COLOURS) - 1]
        rest = [point for name in largest[len(kept) :] for point in groups[name]]
        groups = {name: groups[name] for name in kept} | {f"{len(largest) - len(kept)} others": rest}
        largest = list(groups)
    fig = go.Figure()
    for k, name in enumerate(largest):
        own = groups[name]
        fig.add_trace(
            go.Scatter(
                name=name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…",
                mode="markers",
                x=np.array([point.x for point in own], np.float64),
                y=np.array([point.y for point in own], np.float64),
                customdata=[point.id for point in own],
                marker={"color": chunk_colour(k), "size": 8 if n_points <= _SMALL_FROM else 4, "opacity": 0.7},
                hovertemplate="%{customdata}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
            )
        )
    dress(fig, dark, 420, showlegend=len(groups) > 1, dragmode="zoom")
    fig.update_xaxes(title_text=x_title)
    fig.update_yaxes(title_text=y_title)
    return fig.update_layout(margin=margins(l=64, r=12, t=44, b=42))


def heaps(points: Sequence[Point]) -> list[list[Point]]:
    """Return the points that ``scatter`` draws as one: of more than 1,000, those of a group within a few pixels.

    The cells grow until they are few enough to draw. The heaps are in the order of their first points.
    """
    if len(points) <= _SMALL_FROM:
        return [[point] for point in points]
    places = np.array([(point.x, point.y) for point in points], np.float64)
    low, span = places.min(axis=0), np.ptp(places, axis=0)
    shares = (places - low) / np.where(span > 0, span, 1)
    numbers = {name: k for k, name in enumerate(dict.fromkeys(point.group for point in points))}
    group = np.array([numbers[point.group] for point in points])
    counts = np.array(_CELLS, np.float64)
    while True:
        x, y = np.floor(shares * counts).astype(np.int64).T
        cells = (x * (_CELLS[1] + 1) + y) * len(numbers) + group
        if len(np.unique(cells)) <= _DRAWN_MAX or counts.min() < 4:
            break
        counts *= 0.8
    found: dict[int, list[Point]] = {}
    for cell, point in zip(cells.tolist(), points, strict=True):
        found.setdefault(cell, []).append(point)
    return list(found.values())
