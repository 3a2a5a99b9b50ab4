"""The visitor's theme."""

from __future__ import annotations

from typing import Any

import streamlit as st


def is_dark() -> bool:
    """Whether the visitor sees the dark theme."""
    theme: Any = getattr(st.context, "theme", None)
    return getattr(theme, "type", None) == "dark"
