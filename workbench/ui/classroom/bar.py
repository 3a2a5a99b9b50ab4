"""The way back: a line on the pages that a stop of the guided path led to."""

from __future__ import annotations

import streamlit as st

from workbench.classroom.stops import STOPS
from workbench.ui.classroom import progress

VIEW = "views/class_path.py"
_VISITING = "class_visiting"


def show(page_title: str) -> None:
    """Draw the line, if a link of the guided path led here and the visitor has not gone back or left the path."""
    state = st.session_state
    asked = str(st.query_params.get("stop", ""))
    if page_title == "Class":
        state.pop(_VISITING, None)
        return
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:3]) <= len(STOPS):
        state[_VISITING] = int(asked[:3]) - 1
    index = state.get(_VISITING)
    if index is None or not progress.has_begun():
        return
    here = STOPS[index]
    with st.container(horizontal=True, vertical_alignment="center", key="class_bar"):
        st.page_link(
            VIEW, label=f"Back to the class, stop {index + 1} of {len(STOPS)}: {here.title}",
            icon=":material/school:", query_params={"stop": str(index + 1)},
        )  # fmt: skip
        if st.button("Leave the class", key="class_leave", type="tertiary", icon=":material/close:"):
            state.pop(_VISITING)
            if "stop" in st.query_params:
                del st.query_params["stop"]
            st.rerun()
