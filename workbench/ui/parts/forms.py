"""Widgets for settings, built from the description of each knob in ``engine.settings``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from workbench.engine.rules import CHUNK_WINDOW_SECONDS, EPSS_STEPS
from workbench.engine.settings import SynthesisSettings, describe

# 7 steps is the smallest EPSS grid with full quality in its paper: a first sentence takes seconds on a laptop's CPU.
# The command line keeps upstream's 32.
FIRST_NFE = 7
NFE_CHOICES = (4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64)
# range of the slider; the setting allows more
CHUNK_BYTES_LOW, CHUNK_BYTES_HIGH, CHUNK_BYTES_STEP = 20, 600, 5
_SHOWN_APART = ("nfe_step", "max_chunk_bytes", "seed")
_TITLES = {
    "cfg_strength": "Guidance (cfg_strength)",
    "sway_sampling_coef": "Sway sampling",
    "ode_method": "ODE solver",
    "use_epss": "EPSS grid",
    "speed": "Speed",
    "fix_duration": "Fixed duration",
    "cross_fade_duration": "Cross-fade",
    "target_rms": "Reference level (target_rms)",
    "keep_trajectory": "Keep the ODE trajectory (for the Flow page)",
    "numbers": "Numbers as words",
    "seed": "Seed",
    "nfe_step": "ODE steps (nfe_step)",
    "max_chunk_bytes": "Chunk size (max_chunk_bytes)",
}
_ROWS = {row["name"]: row for row in describe(SynthesisSettings)}


def names() -> list[str]:
    """Return the names of all knobs."""
    return list(_ROWS)


def title(name: str) -> str:
    """Return the label of the knob ``name`` on pages, with its unit."""
    unit = _ROWS[name]["unit"]
    return _TITLES.get(name, name) + (f", {unit}" if unit and unit not in ("x", "steps") else "")


def knob(name: str, *, key: str | None = None, disabled: bool = False) -> Any:
    """Draw the widget that fits the type and range of one knob; return its value."""
    row = _ROWS[name]
    common = {"key": key or f"knob_{name}", "help": row["help"], "disabled": disabled, "persist_state": "session"}
    kind = row["type"].split(" | ")[0]
    optional = "None" in row["type"]
    if row["choices"]:
        options = list(row["choices"])
        return st.selectbox(title(name), options, index=options.index(row["default"]), **common)
    if kind == "bool":
        return st.toggle(title(name), row["default"], **common)
    if kind == "float" and not optional and row["step"]:
        low, high, default = float(row["low"]), float(row["high"]), float(row["default"])
        if name == "target_rms":  # its range starts at 0.001, which is no multiple of the step 0.01
            return st.number_input(title(name), low, high, default, step=0.01, format="%.3f", **common)
        return st.slider(title(name), low, high, default, step=float(row["step"]), **common)
    number: Callable[[Any], Any] = int if kind == "int" else float
    preset = None if row["default"] is None else number(row["default"])
    placeholder = {"fix_duration": "from the text", "sway_sampling_coef": "uniform grid"}.get(name)
    return st.number_input(
        title(name),
        number(row["low"]),
        number(row["high"]),
        preset,
        step=number(row["step"] or 1),
        placeholder=placeholder,
        **common,
    )


def nfe() -> int:
    """Draw the slider for the number of ODE steps; steps with an EPSS grid are marked. Returns the number."""
    return st.select_slider(
        title("nfe_step"),
        NFE_CHOICES,
        FIRST_NFE,
        format_func=lambda n: f"{n} · EPSS" if n in EPSS_STEPS else str(n),
        key="knob_nfe_step",
        help=_ROWS["nfe_step"]["help"],
        persist_state="session",
    )


def chunk_bytes(upstream_bytes: int) -> int | None:
    """Draw the choice of the chunk size. Returns bytes, or None for upstream's rule (here ``upstream_bytes``)."""
    own = st.toggle(
        f"Own chunk size, else {upstream_bytes} B",
        key="own_chunk_size",
        help=f"Off: upstream's rule, the bytes that fit into {CHUNK_WINDOW_SECONDS:.0f} s together with the reference "
        "at its pace.",
        persist_state="session",
    )
    chosen = st.slider(
        title("max_chunk_bytes"),
        CHUNK_BYTES_LOW,
        CHUNK_BYTES_HIGH,
        120,
        step=CHUNK_BYTES_STEP,
        key="knob_max_chunk_bytes",
        disabled=not own,
        help=_ROWS["max_chunk_bytes"]["help"],
        persist_state="session",
    )
    return chosen if own else None


def other_knobs() -> dict[str, Any]:
    """Draw every knob that has no place of its own; return name to value."""
    return {name: knob(name) for name in _ROWS if name not in _SHOWN_APART}
