"""Show a job on the page that started it: progress, Cancel, and one redraw of the page at the end."""

from __future__ import annotations

import streamlit as st

from workbench.engine.jobs.queue import CANCELLED, FAILED, QUEUED, Job
from workbench.ui.fragments import fragment
from workbench.ui.resources import job_manager

POLL_SECONDS = 0.5


def remember(key: str, job: Job) -> None:
    """Remember ``job`` in this session under ``key``. The job continues if the visitor leaves the page."""
    st.session_state[f"job_{key}"] = job.id


def remembered(key: str) -> Job | None:
    """Return the job last remembered under ``key``; None if the manager no longer has it."""
    return job_manager().get(st.session_state.get(f"job_{key}"))


def forget(key: str) -> None:
    """Forget the job under ``key``, so that it is no longer shown."""
    st.session_state.pop(f"job_{key}", None)


def watch(key: str) -> Job | None:
    """Draw the job under ``key`` and return it; a finished job is not drawn. Returns None without a job."""
    job = remembered(key)
    if job is None:
        return None
    active = job.is_active

    @fragment(run_every=POLL_SECONDS if active else None)
    def panel() -> None:
        if active and not job.is_active:
            st.rerun()  # once: the rest of the page depends on the result
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
