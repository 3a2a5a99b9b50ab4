"""Page: where the time of the current run went."""

from __future__ import annotations

import streamlit as st

from workbench.ui import document
from workbench.ui.runs import time_view
from workbench.ui.style import empty

st.title("Time")
run = document.run()
if run is None:
    empty("No run yet. Press <b>Synthesize</b> on the first page, or choose one on the page <b>Runs</b>.",
          synthesize="Synthesize", runs="Runs")  # fmt: skip
else:
    time_view.show(run)
