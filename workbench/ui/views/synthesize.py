"""Page: write a text, see its plan and its expected time, speak it, and work on the result."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import run_folder
from workbench.engine.speech.requests import SpeechRequest
from workbench.ui import current_line, document, resources, takes
from workbench.ui.fragments import fragment
from workbench.ui.parts.plan_view import Plan, plan_if_any, show_plan, told_in_short
from workbench.ui.parts.preload_view import preload_line
from workbench.ui.runs import measured_view, run_live, run_tools, run_view
from workbench.ui.scripts import opening, view
from workbench.ui.style import empty
from workbench.ui.workspace import changed, expected, inspector, spelled_view, text_box
from workbench.ui.workspace.inspector import Form


def start(wanted: SpeechRequest) -> None:
    """Queue the synthesis and show it."""
    try:
        job = resources.job_manager().submit(SpeechJob(wanted))
    except WorkbenchError as error:
        st.error(str(error))
        return
    st.session_state.started_here = job.id
    document.show(job.id)


@fragment
def compose(form: Form) -> None:
    """Draw text, button, expected time, state and plan. A fragment: typing redraws the plan, not the result below."""
    text = text_box.show(height=130)
    job, made = document.job(), changed.request_shown()
    found = plan_if_any(text, form.voice, form.settings, form.model)
    can_start = found is not None and bool(found.chunks)
    changes = document.changes(made) if made else []
    reuse, profile = bool(st.session_state.get("reuse", True)), bool(st.session_state.get("profile"))
    wanted = form.request(text, reuse=reuse, profile=profile) if can_start else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="actions"):
        pressed = st.button(
            "Synthesize", key="go", type="primary", shortcut="Ctrl+Enter",
            disabled=not can_start or (job is not None and job.is_active),
        )  # fmt: skip
        if found is not None and can_start and form.settings is not None:
            st.caption(expected.told(expected.expected(form.model, found.chunks, form.settings)))
        opening.tools(found)
        spelled_view.popover(wanted, document.run(), bool(changes))
    run_live.strip(job)
    changed.note(changes)
    plan(text, found, form, is_of_run=made is not None and not changes)
    if pressed and wanted is not None:
        start(wanted)


def plan(text: str, found: Plan | None, form: Form, *, is_of_run: bool) -> None:
    """Draw the plan: folded where the result below is of this very text."""
    if is_of_run and found is not None and found.chunks:
        with st.expander(f"Plan: {told_in_short(found)}", key="plan"):
            show_plan(text, found, form.voice, "text")
    else:
        show_plan(text, found, form.voice, "text")


def result() -> None:
    """Draw the run of this page: live while it is synthesized, complete at the end."""
    if document.current() is None:
        empty("Press <b>Synthesize</b> or Ctrl+Enter. Chunks play as they are finished. The result follows here.")
        return
    job = document.job()
    if job is not None and job.is_active and job.base is None:
        run_live.chunks(job)
        return
    run = document.run()
    if run is None:
        if job is None:  # else its state says why nothing is there
            unreadable()
        return
    if job is not None and job.is_unsaved:
        run_tools.unsaved(job)
    try:
        if job is None or run is not job.run:
            run_folder(run.id)
    except WorkbenchError as error:  # deleted meanwhile on the page Runs; the copy in memory can still be downloaded
        st.warning(str(error))
    run_view.numbers(run)
    run_view.picture(run)
    takes.table(run)
    view.of_run(run)
    measured_view.measured(run)
    st.header("Files")
    run_tools.downloads(run)


def unreadable() -> None:
    """Say why the current run cannot be shown."""
    try:
        resources.saved_run(document.current() or "")
    except WorkbenchError as error:
        current_line.offer_afresh(str(error), "start_afresh_from_run")  # B of the address may be missing too


with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="heading"):
    st.title("Synthesize", width="content")
    preload_line()
    text_box.examples()
compose(inspector.show())
with st.container(key=changed.RESULT):
    result()
