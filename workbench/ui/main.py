"""The frame around every page: title, style sheet, navigation. Nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from workbench.ui import style

VIEWS = Path(__file__).with_name("views")
PAGES = (
    ("synthesize", "Synthesize", ":material/graphic_eq:", "Text to speech, chunk by chunk"),
    ("chunk_size", "Chunk size", ":material/content_cut:", "What the knob costs and what it buys"),
    ("spectrograms", "Spectrograms", ":material/equalizer:", "Look into a reference, a chunk or a file"),
    ("flow", "Flow", ":material/water:", "From noise to speech, step by step"),
    ("runs", "Runs", ":material/history:", "What was made, to listen to and compare"),
    ("loading_lab", "Loading lab", ":material/hourglass_top:", "Why 169 characters took two minutes, measured"),
    ("models", "Models and cache", ":material/database:", "What is on disk, what is loaded, and the network"),
)

# before st.navigation, or the browser asks a font server for the page's icon
st.set_page_config(page_title="F5-TTS workbench", page_icon="🎙️", layout="wide", menu_items={})
pages = [
    st.Page(VIEWS / f"{name}.py", title=title, icon=icon, help=about, default=name == "synthesize")
    for name, title, icon, about in PAGES
    if (VIEWS / f"{name}.py").exists()
]
page = st.navigation(pages, position="top")
style.apply()
page.run()
