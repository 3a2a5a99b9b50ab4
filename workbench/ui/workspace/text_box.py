"""The text of the document: one text area, the same on every page that has it."""

from __future__ import annotations

import streamlit as st

from workbench.ui.parts.examples import EXAMPLES, FIRST_TEXT
from workbench.ui.parts.live_text import live_text


def show(height: int) -> str:
    """Draw the text area and return the text. It is sent during typing.

    ``height`` is in pixels.
    """
    text = st.text_area(
        "Text", FIRST_TEXT, key="text", height=height, placeholder="Text to speak", label_visibility="collapsed",
        persist_state="session",
    )  # fmt: skip
    live_text("text")
    return text


def examples() -> None:
    """Draw the choice of example texts."""
    st.selectbox(
        "Example", list(EXAMPLES), index=None, key="example", placeholder="Example texts", width=170,
        label_visibility="collapsed", on_change=_take_example,
    )  # fmt: skip


def _take_example() -> None:
    if chosen := st.session_state.get("example"):
        st.session_state.text = EXAMPLES[chosen]
        st.session_state.example = None
