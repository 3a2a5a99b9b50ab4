"""Runs that were stopped before their end: hear, continue or delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.parts.unfinished import Unfinished
from workbench.ui import document, resources

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


def show() -> None:
    """Draw a line and buttons for each unfinished run that no job of this server is making."""
    manager = resources.job_manager()
    active = {job.id for job in manager.jobs() if job.is_active}
    left = [found for found in unfinished.every() if found.id not in active]
    if not left:
        return
    with st.expander(f"{len(left)} unfinished", icon=":material/hourglass_bottom:", expanded=True):
        for found in left:
            _line(found)


def _line(found: Unfinished) -> None:
    words, hear, go_on, delete = st.columns([5, 1, 1, 1], vertical_alignment="center")
    text = " ".join(found.text[:200].split())
    words.text(found.problem or f"{found.n_done} of {found.n_chunks} chunks · {found.created_at[:16]} · {text}")
    is_heard = bool(found.n_done) and not found.problem
    if hear.button("Open", key=f"hear_{found.id}", disabled=not is_heard, width="stretch"):
        _open(found.id)
    try:
        if go_on.button("Continue", key=f"continue_{found.id}", disabled=bool(found.problem), width="stretch"):
            _open(resume(found.id))
        if delete.button("Delete", key=f"drop_{found.id}", width="stretch"):
            unfinished.drop(found.id)
            st.rerun()
    except WorkbenchError as error:
        st.error(str(error))


def _open(run_id: str) -> None:
    st.session_state.run_id = st.query_params["run"] = run_id
    st.switch_page("views/synthesize.py", query_params={"run": run_id})


def resume(run_id: str) -> str:
    """Queue the rest of an unfinished run under its own id; return the id.

    Raises:
        WorkbenchError: there is no such unfinished run, it is damaged, or it cannot go on here.
    """
    return resources.job_manager().submit(SpeechJob(unfinished.request_of(run_id), run_id=run_id)).id


def line(run: Run) -> None:
    """Say how much of the unfinished ``run`` is made, as a bar that stands there, with the button that goes on."""
    bar, button = st.columns([5, 1], vertical_alignment="center")
    done = len(run.chunks) - len(run.failed)
    bar.progress(min(done / run.n_planned, 1.0), text=f"{done} of {run.n_planned} chunks are made and kept")
    if button.button("Go on", key=f"go_on_{run.id}", type="primary", icon=":material/resume:", width="stretch"):
        try:
            run_id = resume(run.id)
        except WorkbenchError as error:
            st.error(str(error))
            return
        document.show(run_id)
