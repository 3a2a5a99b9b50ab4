"""Title, style sheet, navigation, and the run you hear: what all pages have in common."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from workbench.ui import current_line, dock, document, first_page, fragments, style
from workbench.ui.classroom import bar

VIEWS = Path(__file__).with_name("views")
PAGES = (
    ("synthesize", "Synthesize", ":material/graphic_eq:", "Text to speech, chunk by chunk"),
    ("spectrograms", "Listen and look", ":material/equalizer:", "Waveform, mel, pitch and words of a run or a file"),
    ("time", "Time", ":material/timer:", "Where the time of a run went"),
    ("flow", "Flow", ":material/water:", "From noise to speech, step by step"),
    ("chunk_size", "Chunk size", ":material/content_cut:", "Cost and gain of the chunk size"),
    ("sweep", "Sweep", ":material/grid_on:", "Many settings, spoken once each and measured"),
    ("runs", "Runs", ":material/history:", "Saved runs, to listen to and compare"),
    ("listen", "Listen", ":material/hearing:", "Judge speech by ear, without knowing what it is"),
    ("class_path", "Class", ":material/school:", "A guided path over the pages: predict, then see"),
    ("loading_lab", "Loading lab", ":material/hourglass_top:", "Why 169 characters took two minutes, measured"),
    ("models", "Models", ":material/database:", "Models on disk and in memory, and network use"),
)
TITLE = "F5-TTS workbench"
SIDEBAR_PIXELS = 300


def draw() -> None:
    """Draw the page of the address, with what all pages share around it."""
    # must come before st.navigation, else the browser asks a font server for the page's icon
    st.set_page_config(
        page_title=TITLE, page_icon="🎙️", layout="wide", menu_items={}, initial_sidebar_state=SIDEBAR_PIXELS
    )
    pages = [
        st.Page(VIEWS / f"{name}.py", title=title, icon=icon, help=about, default=name == "synthesize")
        for name, title, icon, about in PAGES
        if (VIEWS / f"{name}.py").exists()
    ]
    page = st.navigation(pages, position="top")
    document.sync()  # before any widget
    st.set_page_config(page_title=current_line.tab_title(page.title))
    style.apply()
    bar.show(page.title)
    dock.place()
    # the first page shows the current run itself
    current_line.show(with_line=page.title != PAGES[0][1] or document.second() is not None)
    fragments.in_words(page.run)()


if __name__ == "__main__":
    with first_page.drawing():
        draw()
