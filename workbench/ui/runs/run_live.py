"""Show a job while it runs: place in the queue, progress, time left, finished chunks, cancel."""

from __future__ import annotations

import html

import streamlit as st

from workbench.engine.jobs.queue import CANCELLED, DONE, FAILED, QUEUED
from workbench.engine.jobs.speech import SpeechJob
from workbench.figures.theme import stage_colour
from workbench.ui import current_line, document, resources, style
from workbench.ui.fragments import fragment
from workbench.ui.parts import tables
from workbench.ui.workspace import expected

POLL_SECONDS = 0.5
_GREY = "#8b8b8b"
_COLOURS = {"queued": "#d2a106", "running": stage_colour("ode"), "done": "#2a9d78", "failed": "#c0392b"}


def status_line(text: str, colour: str) -> None:
    """Draw one line of state with a coloured dot. ``text`` is escaped."""
    dot = f'<span class="wb-dot" style="--c:{colour}"></span>'
    st.html(f'<div class="wb-state" role="status">{dot}{html.escape(text)}</div>')


def _status(job: SpeechJob) -> str:
    if job.state == QUEUED:
        ahead = resources.job_manager().ahead(job)
        seconds = expected.of_queue(job)
        tail = f", which take about {style.duration(seconds)} more" if seconds else ""
        return f"queued: {ahead} {'job is' if ahead == 1 else 'jobs are'} before it{tail}"
    if job.state == FAILED:
        return "failed"
    if job.state == CANCELLED:
        kept = "; they are kept" if job.chunks and len(job.plan) > 1 else ""
        planned = f"{len(job.plan):,}" if job.plan else "?"
        return f"cancelled after {job.seconds:.1f} s, {len(job.chunks):,} of {planned} chunks made{kept}"
    if job.state == DONE:
        n_reused = sum(chunk.is_reused for chunk in job.chunks)
        reused = f", {n_reused} of {len(job.chunks)} chunks reused" if n_reused else ""
        return f"done in {job.seconds:.1f} s{reused}" + (", not saved" if job.is_unsaved else "")
    if job.is_stopping:
        return "stopping at the next ODE step"
    if job.doing != "speaking":
        return job.doing
    left = job.seconds_left
    tail = f" · about {style.duration(left)} left" if left is not None else ""
    return f"chunk {job.chunk_now + 1:,} of {max(len(job.plan), 1):,} · ODE step {job.step} of {job.n_steps}{tail}"


def strip(job: SpeechJob | None) -> None:
    """Draw state, progress and Cancel; refresh them while the job runs.

    They are always on the page, so that nothing moves when a run starts. When the job ends, the page is drawn once
    more, with the result.
    """
    fragment(run_every=POLL_SECONDS if job and job.is_active else None)(_strip)(job)


def _strip(job: SpeechJob | None) -> None:
    active = job is not None and job.is_active  # read once: the worker may end the job while this is drawn
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="state"):
        idle = f"saved run {document.current()}" if document.current() else "no run yet"
        status_line(_status(job) if job else idle, _COLOURS.get(job.state if job else "", _GREY))
        st.progress(min(job.fraction, 1.0) if job else 0.0, width=220)
        stoppable = job is not None and active and not job.is_stopping
        # a callback: it acts before the state is drawn, which then says so at once
        st.button("Cancel", key="cancel", disabled=not stoppable, on_click=job.cancel if job is not None else None)
    if job and job.error:
        st.error(job.error)
    if job and not active:
        current_line.settle(job)


def chunks(job: SpeechJob) -> None:
    """Draw the chunk table of ``job``; refresh it while the job runs."""
    fragment(run_every=POLL_SECONDS if job.is_active else None)(_chunks)(job)


def _chunks(job: SpeechJob) -> None:
    active, chunks = job.is_active, job.chunks
    total = job.run.total_seconds if job.run else None
    now = job.chunk_now if active and job.plan else None
    st.html(tables.chunk_table(job.plan, chunks, now=now, step=f"{job.step}/{job.n_steps}", total_seconds=total))
