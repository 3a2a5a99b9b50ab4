"""Shared by all figures: colours for light and dark pages, colour maps, and PNG bytes of a spectrogram."""

from __future__ import annotations

import importlib
import io
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.colors
import plotly.graph_objects as go
from PIL import Image

from workbench.figures.theme import margins, points

with suppress(ImportError):  # Plotly looks for it, and fails on one that another thread has not yet imported wholly
    importlib.import_module("pandas")

COLOUR_MAPS = ("magma", "viridis", "cividis", "inferno", "gray")
FONT = "Inter, system-ui, sans-serif"  # Inter on the pages, the system's font elsewhere
# no upload button, no logo; a click outside of a span zooms back
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "autoScale2d"],
}


@dataclass(frozen=True)
class Ink:
    """Colours of lines and text on a light or dark background."""

    text: str
    muted: str
    grid: str
    wave: str
    pitch: str
    border: str
    fade: str
    paper: str
    series: tuple[str, str, str]


LIGHT = Ink(
    "#1f2933", "#5b6774", "#e3e7eb", "#33506b", "#b4470e", "#0b6bcb", "rgba(11,107,203,0.14)", "#ffffff",
    ("#0b6bcb", "#b4470e", "#4b5563"),
)  # fmt: skip
DARK = Ink(
    "#e6e9ed", "#9aa5b1", "#2d353d", "#9db7cf", "#ff9d5c", "#62a8f5", "rgba(98,168,245,0.20)", "#14181d",
    ("#62a8f5", "#ff9d5c", "#a3adb8"),
)  # fmt: skip
# blue is negative, orange positive; zero has the colour of the background
_DIVERGING = {
    False: ((0.0, "#08306b"), (0.25, "#4a90c8"), (0.5, "#f7f7f7"), (0.75, "#e07b39"), (1.0, "#7f2704")),
    True: ((0.0, "#9ecbff"), (0.25, "#3b77b8"), (0.5, "#14181d"), (0.75, "#c8622a"), (1.0, "#ffc9a3")),
}


def ink(dark: bool) -> Ink:
    """Colours for a dark or a light background."""
    return DARK if dark else LIGHT


@lru_cache(maxsize=16)
def colour_scale(name: str) -> list[tuple[float, str]]:
    """(position, colour) stops of a map in ``COLOUR_MAPS``; magma for an unknown name."""
    if name == "gray":
        return [(0.0, "rgb(0, 0, 0)"), (1.0, "rgb(255, 255, 255)")]
    colours = getattr(plotly.colors.sequential, name.capitalize() if name in COLOUR_MAPS else "Magma")
    return [
        (i / (len(colours) - 1), f"rgb{plotly.colors.hex_to_rgb(c)}" if c.startswith("#") else c)
        for i, c in enumerate(colours)
    ]


def diverging(dark: bool) -> list[tuple[float, str]]:
    """(position, colour) stops of the map for signed differences."""
    return [(at, f"rgb{plotly.colors.hex_to_rgb(c)}") for at, c in _DIVERGING[dark]]


def palette(colour_map: str) -> list[int]:
    """256 colours of a map in ``COLOUR_MAPS`` as one list of red, green and blue, 0 to 255."""
    return list(_palette(tuple(colour_scale(colour_map))))


@lru_cache(maxsize=16)
def _palette(stops: tuple[tuple[float, str], ...]) -> bytes:
    """Bytes of 256 RGB triples along the stops."""
    at = np.array([stop for stop, _ in stops])
    rgb = np.array([plotly.colors.unlabel_rgb(colour) for _, colour in stops])
    levels = np.linspace(0, 1, 256)
    return np.stack([np.interp(levels, at, rgb[:, k]) for k in range(3)], axis=1).round().astype(np.uint8).tobytes()


def png(values: np.ndarray, low: float, high: float, stops: list[tuple[float, str]], *, row_pixels: int = 2) -> bytes:
    """PNG bytes of ``values`` [frames, rows]: one column a frame, ``row_pixels`` pixels a row, row 0 at the bottom."""
    span = max(high - low, 1e-6)
    levels = np.clip((values - low) * (255 / span), 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(np.repeat(levels.T[::-1], row_pixels, axis=0)), mode="P")
    picture.putpalette(_palette(tuple(stops)))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def dress(fig: go.Figure, dark: bool, height: int, **layout: Any) -> go.Figure:
    """Apply the common layout to ``fig`` and return it."""
    colours = ink(dark)
    fig.update_layout(
        template="none",
        height=points(height),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours.text, "size": points(12), "family": FONT},
        margin=margins(l=56, r=12, t=28, b=40),
        hoverlabel={"bgcolor": colours.paper, "font": {"color": colours.text}, "bordercolor": colours.muted},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.01,
            "x": 0,
            "font": {"size": points(12)},
            "traceorder": "normal",
        },
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": colours.muted, "activecolor": colours.border},
        **layout,
    )
    axis = {
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zerolinecolor": colours.grid,
        "tickfont": {"size": points(12), "color": colours.muted},
        "title": {"font": {"size": points(12), "color": colours.muted}, "standoff": 6},
        "automargin": False,
    }
    fig.update_xaxes(**axis)
    fig.update_yaxes(**axis)
    return fig
