"""What a figure tells the page: a dragged span, a zoom, a click; and buttons that save it as SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

_STATIC = Path(__file__).parents[1] / "static"
_HTML = """
<div class="tools" role="group" aria-label="Save the figure">
  <button type="button" data-format="svg" title="Save this figure as SVG">SVG</button>
  <button type="button" data-format="png" title="Save this figure as PNG, at twice its size">PNG</button>
</div>
"""
_tools = component(
    "look_tools",
    html=_HTML,
    css=(_STATIC / "look.css").read_text("utf-8"),
    js=(_STATIC / "look.js").read_text("utf-8"),
)


def listen(
    figure_key: str, key: str, *, name: str = "", marks: float | None = None, **takers: Callable[[Any], None]
) -> None:
    """Listen to the figure with widget key ``figure_key``; its x axes are in seconds.

    Args:
        figure_key: key of its ``st.plotly_chart``.
        key: widget key of this element.
        name: of the files that are saved; "" draws no buttons.
        marks: second that is marked in the figure.
        takers: called before the next script run: ``span`` and ``view`` with [from, to] in seconds (``view`` with []
            for all, and with the part of the frequency axis if that changed), ``at`` with a second. A value from a
            browser that is no number is dropped.
    """

    def taken(event: str) -> Callable[[], None]:
        def take() -> None:
            held: Any = st.session_state.get(key) or {}
            value = _numbers(held.get(event))
            if value is not None:
                takers[event](value)

        return take

    events: dict[str, Any] = {f"on_{event}_change": taken(event) for event in takers}
    data = {"figure": f".st-key-{figure_key}", "role": key, "listens": list(takers), "name": name, "at": marks}
    _tools(key=key, data=data, **events)


def _numbers(value: Any) -> Any:
    """Return ``value`` if it is a finite number, or a list of none or two of them; else None."""
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or abs(v) > 1e7 or v != v for v in parts):
        return None
    return value if not isinstance(value, list) or len(value) in (0, 2, 4) else None
