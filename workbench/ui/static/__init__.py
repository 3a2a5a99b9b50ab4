"""The style sheets and scripts of the pages, which lie in this folder."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def text(*names: str) -> str:
    """Return the files ``names``, one after another."""
    return "\n".join((FOLDER / name).read_text("utf-8") for name in names)


def sheet(name: str) -> str:
    """Return the style sheet ``name`` as an element for ``st.html``."""
    return f"<style>{text(name)}</style>"
