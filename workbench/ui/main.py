"""Title, style sheet and navigation of all pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from workbench.ui import style

VIEWS = Path(__file__).with_name("views")
PAGES = (
    ("synthesize", "Synthesize", ":material/graphic_eq:", "Text to speech, chunk by chunk"),
    ("chunk_size", "Chunk size", ":material/content_cut:", "Cost and gain of the chunk size"),
    ("sweep", "Sweep", ":material/grid_on:", "Many settings, spoken once each and measured"),
    ("spectrograms", "Spectrograms", ":material/equalizer:", "Spectrograms of a reference, a run or a file"),
    ("flow", "Flow", ":material/water:", "From noise to speech, step by step"),
    ("runs", "Runs", ":material/history:", "Saved runs, to listen to and compare"),
    ("listen", "Listen", ":material/hearing:", "Judge speech by ear, without knowing what it is"),
    ("loading_lab", "Loading lab", ":material/hourglass_top:", "Why 169 characters took two minutes, measured"),
    ("models", "Models and cache", ":material/database:", "Models on disk and in memory, and network use"),
)

# must come before st.navigation, else the browser asks a font server for the page's icon
st.set_page_config(page_title="F5-TTS workbench", page_icon="🎙️", layout="wide", menu_items={})
pages = [
    st.Page(VIEWS / f"{name}.py", title=title, icon=icon, help=about, default=name == "synthesize")
    for name, title, icon, about in PAGES
    if (VIEWS / f"{name}.py").exists()
]
page = st.navigation(pages, position="top")
style.apply()
page.run()
