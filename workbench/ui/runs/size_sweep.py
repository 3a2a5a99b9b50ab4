"""Measure chunk sizes of the text: a sweep that skips what is on disk, and goes on after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.alone import is_running
from workbench.engine.speech import costs
from workbench.engine.sweeps import Sweep, sizes
from workbench.engine.sweeps.job import SweepJob
from workbench.figures.theme import stage_colour
from workbench.ui import resources
from workbench.ui.fragments import fragment
from workbench.ui.parts.plan_view import Plan
from workbench.ui.runs.run_live import status_line
from workbench.ui.runs.sweep_form import jobs
from workbench.ui.workspace import expected
from workbench.ui.workspace.inspector import Form

POLL_SECONDS = 0.7
SIZES = (40, 60, 90, 140, 200, 300, 450)
FIRST = (60, 140, 300)


def show(text: str, plan: Plan, factor: float, form: Form) -> None:
    """Draw the choice of sizes, the button with the expected time, and the progress.

    ``plan`` is of the text, or of its beginning; the text is ``factor`` times as long.
    """
    st.header("Measure the sizes")
    ticked = st.pills(
        "Sizes in bytes", SIZES, selection_mode="multi", default=FIRST, key="sizes", bind="query-params",
        persist_state="session",
    )  # fmt: skip
    request = form.request(text)
    assert request is not None and form.voice is not None
    sweep = sizes.sweep_of(request, form.voice, ticked)
    busy = is_running(sweep.folder) or any(job.is_active for job in jobs(sweep.grid.name))
    missing = [trial for trial in sweep.missing() if trial.values[sizes.AXIS] in ticked]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        label = f"Run {len(missing)} size{'s' if len(missing) > 1 else ''}" if missing else "All of these are measured"
        label = label if ticked else "Choose sizes"
        if st.button(label, key="sizes_go", type="primary", disabled=busy or not missing):
            start(sizes.sweep_of(request, form.voice, ticked))
        if missing:
            st.caption(_expected([trial.values[sizes.AXIS] for trial in missing], plan, factor, form))
    if busy or jobs(sweep.grid.name):
        fragment(run_every=POLL_SECONDS if busy else None)(_progress)(sweep)


def _expected(missing: Sequence[int], plan: Plan, factor: float, form: Form) -> str:
    """Return how long ``missing`` sizes will take, in words."""
    assert form.voice is not None and form.settings is not None and plan.prepared is not None
    chunks = []
    for size in missing:
        chunks += form.voice.plan(plan.prepared, form.settings.replace(max_chunk_bytes=size), plan.window_frames)
    found = costs.expect(chunks, expected.points(form.model), costs.passes(form.settings))
    if found is not None and factor > 1:
        error = None if found.error is None else found.error * factor
        found = replace(found, seconds=found.seconds * factor, error=error)
    return expected.told(found)


def start(sweep: Sweep) -> None:
    """Queue what is missing of ``sweep``."""
    try:
        resources.job_manager().submit(SweepJob(sweep))
    except WorkbenchError as error:
        st.error(str(error))
        return
    st.rerun()


def _progress(sweep: Sweep) -> None:
    job = next(iter(jobs(sweep.grid.name)), None)
    records = sweep.records()
    n_done = sum(record.is_done for record in records.values())
    here = job is not None and job.is_active
    busy = here or is_running(sweep.folder)
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        doing = f" · {job.doing}" if job and here else " · another process measures" if busy else ""
        colour = stage_colour("ode") if busy else "#2a9d78"
        status_line(f"{n_done} of {len(sweep.trials)} sizes measured{doing}", colour)
        st.progress(n_done / len(sweep.trials), width=220)
        if st.button("Cancel", key="sizes_cancel", disabled=not here) and job is not None:
            job.cancel()
    for record in records.values():
        if record.error:
            st.error(f"{record.values[sizes.AXIS]} bytes: {record.error}")
    if job is not None and job.error:
        st.error(job.error)
    shown = (sweep.grid.name, n_done, busy)
    if st.session_state.get("sizes_drawn") != shown:  # it may have ended after the curves were drawn
        st.session_state.sizes_drawn = shown
        expected.forget()
        st.rerun()  # the curves and the table below take the new measurement
