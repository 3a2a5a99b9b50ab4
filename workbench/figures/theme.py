"""Colours of stages and chunks in all figures. Those of widgets and pages are in workbench/.streamlit/config.toml."""

from __future__ import annotations

from collections.abc import Callable

# Distinct on white and on black, and for readers who cannot distinguish red and green (after Okabe & Ito, Color
# Universal Design, 2008). Loading is grey, since a run should not contain it.
STAGE_COLOURS = {
    "import": "#6b7480",
    "resolve": "#a3abb5",
    "read_weights": "#8690a0",
    "build": "#7a8f9c",
    "to_device": "#9a8f86",
    "warmup": "#b3a78f",
    "compile": "#6b7480",
    "capture": "#a3abb5",
    "reference_mel": "#8a63c9",
    "text": "#2a9d78",
    "ode": "#2f72c4",
    "ode.step": "#7fb0e6",
    "vocoder": "#e08a1e",
    "reuse": "#5c9fb0",
    "failed": "#c0392b",
    "keep": "#a3abb5",
    "cross_fade": "#c74f8b",
    "save": "#8b8b8b",
    "other": "#8b8b8b",
}
STAGE_TITLES = {
    "import": "import",
    "resolve": "find files",
    "read_weights": "read weights",
    "build": "build",
    "to_device": "to device",
    "warmup": "warm up",
    "compile": "compile",
    "capture": "record graph",
    "reference_mel": "reference mel",
    "text": "text",
    "ode": "ODE",
    "ode.step": "ODE step",
    "vocoder": "vocoder",
    "reuse": "reused chunk",
    "failed": "failed chunk",
    "keep": "keep chunk",
    "cross_fade": "cross-fade",
    "save": "save",
    "other": "other",
}
# neighbours differ in hue and lightness; for the chunks of a text and the runs of a comparison
CHUNK_COLOURS = ("#2f72c4", "#e08a1e", "#2a9d78", "#c74f8b", "#8a63c9", "#5c9fb0")


def chunk_colour(index: int) -> str:
    """Colour of chunk ``index``; neighbours differ."""
    return CHUNK_COLOURS[index % len(CHUNK_COLOURS)]


def stage_colour(name: str) -> str:
    """Colour of the stage ``name``; grey if unknown."""
    return STAGE_COLOURS.get(name, "#8b8b8b")


# Size of type ---------------------------------------------------------------------------------------------------------


def _normal() -> float:
    return 1.0


_scale: Callable[[], float] = _normal


def scale_with(source: Callable[[], float]) -> None:
    """Ask ``source`` from now on by how much the type of figures is larger than normal; 1 until this is called.

    The pages set it once: their figures follow the visitor's size of type, and notebooks stay as they are.
    """
    global _scale
    _scale = source


def points(size: float) -> float:
    """Return ``size``, of type or of space around it in pixels, as large as the visitor wants it."""
    return round(size * _scale(), 1)


def margins(**pixels: float) -> dict[str, float]:
    """Return the margins of a figure, "l", "r", "t" and "b" in pixels, with room for the visitor's size of type."""
    return {side: points(space) for side, space in pixels.items()}
