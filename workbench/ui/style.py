"""HTML that Streamlit has no widget for: coloured text of a plan, tables with aligned numbers, lines of facts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

import streamlit as st

from workbench.ui import static
from workbench.ui.parts import theme

_VIEWS = Path(__file__).with_name("views")
_CSS = static.sheet("pages.css")


def apply() -> None:
    """Put the style sheet and the switches of theme and type on the page; they take no space."""
    st.html(_CSS)
    theme.switches(["/", *(f"/{view.stem}" for view in sorted(_VIEWS.glob("*.py")))])


def empty(message: str, **pages: str) -> None:
    """Draw a box that says what to do on an empty page, and links to where one does it.

    Args:
        message: HTML from the code, never from the user.
        pages: file name of each view to the words of its link, such as ``synthesize="Synthesize"``.
    """
    st.html(f'<div class="wb-empty">{message}</div>')
    if pages:
        with st.container(horizontal=True, horizontal_alignment="center", gap="small"):
            for view, words in pages.items():
                st.page_link(f"views/{view}.py", label=words, icon=":material/arrow_forward:", width="content")


def facts(values: dict[str, str]) -> None:
    """Draw names and values in one line that wraps. Both are HTML from the code, never from the user."""
    cells = "".join(f"<span><span>{name}</span> <b>{value}</b></span>" for name, value in values.items())
    st.html(f'<div class="wb-facts">{cells}</div>')


def legend(stages: Iterable[tuple[str, str]]) -> None:
    """Draw a legend from (title, colour) of each stage. It wraps as text does, at any width and size of type."""
    items = (f'<span><span class="wb-swatch" style="--c:{colour}"></span>{escape(title)}</span>'
             for title, colour in stages)  # fmt: skip
    st.html(f'<div class="wb-facts">{"".join(items)}</div>')


def plain(text: str) -> str:
    """Return ``text`` for Markdown, so that none of its characters is markup."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|$:~-])", r"\\\1", " ".join(text.split()))


def duration(seconds: float) -> str:
    """Return ``seconds`` with two digits that matter: "0.4 s", "12 s", "8 min", "3 h 20 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
