"""Page: look at what you hear, A and B on one scale: waveform, words, pitch, spectrograms, slices."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from workbench.engine import measures
from workbench.ui import style
from workbench.ui.look import choosing, display, files, instrument
from workbench.ui.parts import tables
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source


def numbers(found: Mapping[str, Source]) -> None:
    """Draw the measures of each source in one table."""
    rows = []
    for letter, source in found.items():
        row = {
            "": letter,
            "source": source.title,
            "length (s)": round(source.seconds, 2),
            "mel frames": source.config.frames_of(len(source.wave)),
        }
        rows.append(row | measures.row(measures.SOUND, sources.measurable(source)))
    tables.measured(rows, "Length, level and pitch of each source")


st.title("Listen and look")
found = choosing.choose()
if found:
    if len(found) > 1:
        told = choosing.differences(found)
        st.caption(" — ".join(f"**{letter}**: {style.plain(words_)}" for letter, words_ in told.items()))
    chosen = display.choose(len(found))
    instrument.show(found, chosen)
    st.header("Numbers")
    numbers(found)
    files.offer(found, chosen)
else:
    style.empty("Choose a run, a reference, or a file of your own.")
