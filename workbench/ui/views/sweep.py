"""Sweep: a grid of settings, spoken once, its results as they come."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.sweeps import find_sweep
from workbench.engine.sweeps.records import list_sweeps
from workbench.ui.runs import sweep_form, sweep_results
from workbench.ui.style import empty
from workbench.ui.workspace import inspector, text_box

st.title("Sweep")
st.caption(
    "Choose the settings to vary; the rest is as in the form. Each combination is spoken once and saved as a run. A "
    "stopped sweep continues where it was, also after a restart of the server. A larger grid speaks only the new "
    "combinations."
)
form = inspector.show(with_run=False)
typed = text_box.show(height=80)
grid = sweep_form.grid(typed, form)
if grid is not None:
    sweep_form.start(grid)

st.header("Results")
names = list_sweeps()
if not names:
    empty("No sweep yet.")
else:
    wanted = st.session_state.pop("sweep_started", None) or st.query_params.get("sweep")
    if wanted in names:
        st.session_state.sweep_shown = wanted
    shown = st.selectbox("Sweep", names, key="sweep_shown", persist_state="session")
    st.query_params["sweep"] = shown
    try:
        sweep_results.show(find_sweep(shown))
    except WorkbenchError as error:
        st.error(str(error))
