"""Widgets for settings, built from the description of each knob in ``engine.settings``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.rules import CHUNK_WINDOW_SECONDS, EPSS_STEPS
from workbench.engine.settings import SynthesisSettings, describe, number

# 7 steps is the smallest EPSS grid with full quality in its paper: a first sentence takes seconds on a laptop's CPU.
# The command line keeps upstream's 32.
FIRST_NFE = 7
NFE_CHOICES = (4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64)
# range of the slider; the setting allows more
CHUNK_BYTES_LOW, CHUNK_BYTES_HIGH, CHUNK_BYTES_STEP = 20, 600, 5
_SHOWN_APART = ("nfe_step", "max_chunk_bytes", "seed")
_TITLES = {
    "cfg_strength": "Guidance",
    "sway_sampling_coef": "Sway sampling",
    "ode_method": "ODE solver",
    "use_epss": "EPSS grid",
    "speed": "Speed",
    "fix_duration": "Fixed duration",
    "cross_fade_duration": "Cross-fade",
    "target_rms": "Reference level",
    "keep_trajectory": "Keep the trajectory, for Flow",
    "numbers": "Numbers as words",
    "seed": "Seed",
    "nfe_step": "ODE steps",
    "max_chunk_bytes": "Chunk size",
}
_ROWS = {row["name"]: row for row in describe(SynthesisSettings)}


def names() -> list[str]:
    """Return the names of all knobs."""
    return list(_ROWS)


def title(name: str) -> str:
    """Return the label of the knob ``name`` on pages, with the name that messages and files use, and its unit."""
    unit, words = _ROWS[name]["unit"], _name(name)
    said = f"{words} ({name})" if words != name and "_" in name else words
    return said + (f", {unit}" if unit and unit not in ("x", "steps") else "")


def first(name: str) -> Any:
    """Return the value of the knob ``name`` in a form that nobody has touched."""
    return FIRST_NFE if name == "nfe_step" else _ROWS[name]["default"]


def chosen() -> SynthesisSettings:
    """Return the settings in the form, on any page. Raises SettingsError if one is out of its range."""
    state = st.session_state
    values = {name: state.get(f"knob_{name}", first(name)) for name in _ROWS}
    if not state.get("own_chunk_size"):
        values["max_chunk_bytes"] = None
    return SynthesisSettings(**values)


def put(settings: Mapping[str, Any]) -> None:
    """Put ``settings`` (name to value) into the form. Call this before its widgets are drawn."""
    state = st.session_state
    for name, value in settings.items():
        if name == "max_chunk_bytes":
            state["own_chunk_size"] = value is not None
        if name != "max_chunk_bytes" or value is not None:
            whole = isinstance(value, int) and not isinstance(value, bool)
            state[f"knob_{name}"] = float(value) if whole and _ROWS[name]["type"].startswith("float") else value


def differences(made: SynthesisSettings) -> list[str]:
    """Return where the form differs from ``made``, in words: "ODE steps 16, was 7"."""
    try:
        now = chosen()
    except WorkbenchError:
        return ["settings"]
    pairs = ((name, getattr(now, name), getattr(made, name)) for name in _ROWS)
    return [f"{_name(name)} {_said(name, new)}, was {_said(name, old)}" for name, new, old in pairs if new != old]


def _name(name: str) -> str:
    return _TITLES.get(name, name)


def _said(name: str, value: Any) -> str:
    if value is None:
        return "by upstream's rule" if name == "max_chunk_bytes" else "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else number(value)


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
            return st.number_input(title(name), value=default, step=0.01, format="%.3f", **common)
        return st.slider(title(name), low, high, default, step=float(row["step"]), **common)
    # No limits: the browser would keep the last valid number to itself, and show another. ``chosen`` checks the range.
    typed: Callable[[Any], Any] = int if kind == "int" else float
    preset = None if row["default"] is None else typed(row["default"])
    placeholder = {"fix_duration": "from the text", "sway_sampling_coef": "uniform grid"}.get(name)
    return st.number_input(
        title(name),
        value=preset,
        step=typed(row["step"] or 1),
        placeholder=placeholder,
        **common,
    )


def nfe() -> int:
    """Draw the slider for the number of ODE steps; steps with an EPSS grid are marked. Returns the number.

    A run may have been made with a number that is not offered; then it is.
    """
    now: int = st.session_state.get("knob_nfe_step", FIRST_NFE)
    return st.select_slider(
        title("nfe_step"),
        sorted({*NFE_CHOICES, now}),
        FIRST_NFE,
        format_func=lambda n: f"{n} · EPSS" if n in EPSS_STEPS else str(n),
        key="knob_nfe_step",
        help=_ROWS["nfe_step"]["help"],
        persist_state="session",
    )


def chunk_bytes(upstream_bytes: int) -> int | None:
    """Draw the choice of the chunk size. Returns bytes, or None for upstream's rule (0: unknown)."""
    rule = f" ({upstream_bytes} bytes)" if upstream_bytes else ""
    own = st.toggle(
        "Set the chunk size",
        key="own_chunk_size",
        help=f"Off: upstream's rule{rule}, the bytes that fit into {CHUNK_WINDOW_SECONDS:.0f} s together with the "
        "reference at its pace.",
        persist_state="session",
    )
    now = st.session_state.get("knob_max_chunk_bytes") or CHUNK_BYTES_LOW  # a run's may lie beyond what is offered
    size = st.slider(
        title("max_chunk_bytes"),
        min(CHUNK_BYTES_LOW, now),
        max(CHUNK_BYTES_HIGH, now),
        120,
        step=CHUNK_BYTES_STEP,
        key="knob_max_chunk_bytes",
        disabled=not own,
        help=_ROWS["max_chunk_bytes"]["help"],
        persist_state="session",
    )
    return size if own else None


def other_knobs() -> dict[str, Any]:
    """Draw every knob that has no place of its own; return name to value."""
    return {name: knob(name) for name in _ROWS if name not in _SHOWN_APART}
