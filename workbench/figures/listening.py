"""Results of listening tests: shares and means with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from workbench.figures.base import dress, ink
from workbench.figures.theme import chunk_colour

_LABEL_CHARACTERS = 44


def intervals(
    rows: Sequence[tuple[str, float, tuple[float, float] | None]],
    title: str,
    span: tuple[float, float],
    chance: float | None,
    *,
    dark: bool = False,
) -> go.Figure:
    """A point with its interval for each of ``rows``: name, value, (low, high) or None.

    Args:
        rows: from the top.
        title: of the axis.
        span: ends of the axis.
        chance: value to mark with a dotted line, or None.
        dark: colours for a dark page.
    """
    colour = ink(dark).text
    names = [name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…" for name, _, _ in rows]
    low = [value - found[0] if found else 0 for _, value, found in rows]
    high = [found[1] - value if found else 0 for _, value, found in rows]
    fig = go.Figure(
        go.Scatter(
            x=[value for _, value, _ in rows],
            y=list(range(len(rows))),
            mode="markers",
            marker={"size": 11, "color": chunk_colour(0)},
            error_x={"type": "data", "symmetric": False, "array": high, "arrayminus": low, "color": colour},
            customdata=[name for name, _, _ in rows],
            hovertemplate="%{customdata}: %{x:.3g}<extra></extra>",
        )
    )
    dress(fig, dark, 96 + 44 * len(rows), showlegend=False, dragmode=False)
    room = 0.03 * (span[1] - span[0])
    fig.update_xaxes(title_text=title, range=[span[0] - room, span[1] + room])
    fig.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.5, -0.5], automargin=True)
    if span == (0.0, 1.0):
        fig.update_xaxes(tickformat=".0%")
    if chance is not None:
        fig.add_vline(x=chance, line={"dash": "dot", "color": ink(dark).muted, "width": 1})
    return fig
