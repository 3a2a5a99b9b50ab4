"""Which theme the visitor looks at."""

from __future__ import annotations

from typing import Any


def is_dark() -> bool:
    """Whether the visitor looks at the dark theme."""
    import streamlit as st  # here: the figures, which notebooks use too, take their colours from this module

    theme: Any = getattr(st.context, "theme", None)
    return getattr(theme, "type", None) == "dark"
