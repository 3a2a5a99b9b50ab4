"""Long runs that were stopped before their end: continue or delete them."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.parts.unfinished import Unfinished
from workbench.ui import resources


def show() -> None:
    """Draw a line and two buttons for each unfinished run that no job of this server is making."""
    manager = resources.job_manager()
    active = {job.id for job in manager.jobs() if job.is_active}
    left = [found for found in unfinished.every() if found.id not in active]
    if not left:
        return
    with st.expander(f"{len(left)} unfinished", icon=":material/hourglass_bottom:", expanded=True):
        for found in left:
            _line(found)


def _line(found: Unfinished) -> None:
    words, go_on, delete = st.columns([5, 1, 1], vertical_alignment="center")
    text = " ".join(found.text[:200].split())
    words.text(found.problem or f"{found.n_done} of {found.n_chunks} chunks · {found.created_at[:16]} · {text}")
    try:
        if go_on.button("Continue", key=f"continue_{found.id}", disabled=bool(found.problem), width="stretch"):
            job = resources.job_manager().submit(SpeechJob(unfinished.request_of(found.id)))
            st.session_state.run_id = st.query_params["run"] = job.id
            st.switch_page("views/synthesize.py", query_params={"run": job.id})
        if delete.button("Delete", key=f"drop_{found.id}", width="stretch"):
            unfinished.drop(found.id)
            st.rerun()
    except WorkbenchError as error:
        st.error(str(error))
