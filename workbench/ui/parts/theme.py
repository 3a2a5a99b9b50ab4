"""The visitor's theme and size of type, and the switches for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from workbench.figures import theme as figure_theme
from workbench.ui import static

LARGE_SCALE = 20 / 14  # of the root font size in static/display.js over that in .streamlit/config.toml
_KEY = "display"
_HTML = """
<div class="display">
  <button type="button" aria-haspopup="true" aria-expanded="false" aria-controls="panel"
    aria-label="Display: theme and size of type" title="Theme and size of type">Aa</button>
  <div class="panel" id="panel" role="group" aria-label="Display" hidden>
    <fieldset><legend>Theme</legend>
      <label><input type="radio" name="theme" value="System">As this computer</label>
      <label><input type="radio" name="theme" value="Light">Light</label>
      <label><input type="radio" name="theme" value="Dark">Dark</label>
    </fieldset>
    <fieldset><legend>Type</legend>
      <label><input type="radio" name="size" value="normal">Normal</label>
      <label><input type="radio" name="size" value="large">Large, for a projector</label>
    </fieldset>
  </div>
</div>
"""
_display = component("display", html=_HTML, css=static.text("display.css"), js=static.text("tend.js", "display.js"))


def is_dark() -> bool:
    """Whether the visitor sees the dark theme."""
    theme: Any = getattr(st.context, "theme", None)
    return getattr(theme, "type", None) == "dark"


def is_large() -> bool:
    """Whether the visitor chose large type, as for a projector."""
    chosen: Any = st.session_state.get(_KEY) or {}
    return bool(chosen.get("large"))


def scale() -> float:
    """Return by how much type is larger than normal; 1 if it is not."""
    return LARGE_SCALE if is_large() else 1.0


def switches(paths: Sequence[str]) -> None:
    """Draw the button with the switches at the top right of the page, and let figures follow the size of type.

    The choice is kept in the visitor's browser, for all pages and visits. The same component gives sliders a value with
    its unit for screen readers, and lets a finger scroll over figures.

    Args:
        paths: addresses of all pages on this server, such as "/flow".
    """
    figure_theme.scale_with(scale)
    _display(key=_KEY, data={"paths": tuple(paths), "large": is_large()}, on_large_change=lambda: None)
