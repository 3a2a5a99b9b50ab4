"""A job on the page that asked for it: progress, an end on request, and one redraw of the page when it is done."""

from __future__ import annotations

import streamlit as st

from workbench.engine.jobs.queue import CANCELLED, FAILED, QUEUED, Job
from workbench.ui.resources import job_manager

POLL_SECONDS = 0.5


def remember(key: str, job: Job) -> None:
    """Tie ``job`` to this session under ``key``; it goes on if the page is left."""
    st.session_state[f"job_{key}"] = job.id


def remembered(key: str) -> Job | None:
    """The job last tied to ``key``, as long as the manager knows it."""
    return job_manager().get(st.session_state.get(f"job_{key}"))


def forget(key: str) -> None:
    """Show the job no more."""
    st.session_state.pop(f"job_{key}", None)


def watch(key: str) -> Job | None:
    """Draw the job tied to ``key`` and return it; nothing is drawn for one that is done."""
    job = remembered(key)
    if job is None:
        return None
    active = job.is_active

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def panel() -> None:
        if active and not job.is_active:
            st.rerun()  # once: what follows on the page depends on the result
        if job.is_active:
            ahead = job_manager().ahead(job)
            waiting = f"waiting, {ahead} before it" if job.state == QUEUED else job.doing
            st.progress(job.fraction, text=f"{job.title}: {'stopping' if job.is_stopping else waiting}")
            if st.button("Cancel", key=f"cancel_{key}", disabled=job.is_stopping, icon=":material/stop_circle:"):
                job.cancel()
        elif job.state == FAILED:
            st.error(job.error)
        elif job.state == CANCELLED:
            st.warning(f"{job.title}: cancelled.", icon=":material/stop_circle:")

    panel()
    return job
