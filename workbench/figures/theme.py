"""One colour per stage and per chunk, everywhere. Widget and page colours are in workbench/.streamlit/config.toml."""

from __future__ import annotations

# Chosen to be told apart on white and on black, and by readers who do not see red and green as different
# (after Okabe & Ito, Color Universal Design, 2008). Loading is grey: it is what a run should not contain.
STAGE_COLOURS = {
    "import": "#6b7480",
    "resolve": "#a3abb5",
    "read_weights": "#8690a0",
    "build": "#7a8f9c",
    "to_device": "#9a8f86",
    "warmup": "#b3a78f",
    "reference_mel": "#8a63c9",
    "text": "#2a9d78",
    "ode": "#2f72c4",
    "ode.step": "#7fb0e6",
    "vocoder": "#e08a1e",
    "cross_fade": "#c74f8b",
    "save": "#8b8b8b",
}
STAGE_TITLES = {
    "import": "import",
    "resolve": "find files",
    "read_weights": "read weights",
    "build": "build",
    "to_device": "to device",
    "warmup": "warm up",
    "reference_mel": "reference mel",
    "text": "text",
    "ode": "ODE",
    "ode.step": "ODE step",
    "vocoder": "vocoder",
    "cross_fade": "cross-fade",
    "save": "save",
}
# neighbours differ in hue and in lightness; used for the chunks of a text, and for the runs of a comparison
CHUNK_COLOURS = ("#2f72c4", "#e08a1e", "#2a9d78", "#c74f8b", "#8a63c9", "#5c9fb0")


def chunk_colour(index: int) -> str:
    """Colour of chunk ``index``; neighbours never share one."""
    return CHUNK_COLOURS[index % len(CHUNK_COLOURS)]


def stage_colour(name: str) -> str:
    """Colour of the stage ``name``; grey for one that is not known."""
    return STAGE_COLOURS.get(name, "#8b8b8b")
