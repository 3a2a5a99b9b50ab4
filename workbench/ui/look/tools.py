"""What a figure tells the page: a dragged span, a zoom, a click; and buttons that save it as SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from workbench.figures import Figure
from workbench.ui import static

_HTML = """
<div class="tools" role="group" aria-label="Save the figure">
  <button type="button" data-format="svg" title="Save this figure as SVG">SVG</button>
  <button type="button" data-format="png" title="Save this figure as PNG, at twice its size">PNG</button>
</div>
"""
_tools = component("look_tools", html=_HTML, css=static.text("look.css"), js=static.text("look.js"))


def bind(figure: Figure, of: str) -> Figure:
    """Return ``figure``, which says from now on that it shows ``of``; its x axes are in seconds."""
    figure.update_layout(meta={**(figure.layout.meta or {}), "look": of})
    return figure


def listen(of: str, key: str, *, name: str = "", marks: float | None = None, **takers: Callable[[Any], None]) -> None:
    """Listen to the figure that is bound to ``of``, also while it is drawn again.

    What a visitor did is a state of the element, not a trigger: a state is kept until the page has seen it, where
    a trigger is lost to a script run that another click begins. Each is taken once, by its number.

    Args:
        of: name of what the figure shows; what was done to a figure of something else is dropped.
        key: widget key of this element.
        name: of the files that are saved; "" draws no buttons.
        marks: second that is marked in the figure.
        takers: called before the next script run: ``span`` and ``view`` with [from, to] in seconds (``view`` with []
            for all, and with the part of the frequency axis if that changed), ``at`` with a second. A value from a
            browser that is no number is dropped.
    """

    def taken(event: str) -> Callable[[], None]:
        def take() -> None:
            told = (st.session_state.get(key) or {}).get(event)
            seen = f"{key}_{event}_seen"
            if not isinstance(told, dict) or told.get("of") != of:
                return
            number, value = told.get("n"), _numbers(told.get("value"))
            if value is not None and isinstance(number, int) and number > st.session_state.get(seen, 0):
                st.session_state[seen] = number
                takers[event](value)

        return take

    events: dict[str, Any] = {f"on_{event}_change": taken(event) for event in takers}
    data = {"of": of, "role": key, "listens": list(takers), "name": name, "at": marks}
    _tools(key=key, data=data, **events)


def _numbers(value: Any) -> Any:
    """Return ``value`` if it is a finite number, or a list of none or two of them; else None."""
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or abs(v) > 1e7 or v != v for v in parts):
        return None
    return value if not isinstance(value, list) or len(value) in (0, 2, 4) else None
