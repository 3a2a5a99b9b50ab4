"""Make all chunks again that could not be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.jobs.takes import make_take
from workbench.ui import resources
from workbench.ui.parts import watch

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


def button(run: Run) -> None:
    """Say which chunks of ``run`` failed and why; draw the button that makes them again, with their own seeds."""
    key, failed = f"failed_{run.id}", run.failed
    numbers = ", ".join(f"{index + 1}" for index in failed[:12]) + (" …" if len(failed) > 12 else "")
    reasons = list(dict.fromkeys(run.chunks[index].error for index in failed))
    st.warning(
        f"Chunk {numbers} could not be made: silence is in {'its' if len(failed) == 1 else 'their'} place. "
        f"{reasons[0]}", icon=":material/error:",
    )  # fmt: skip
    label = f"Make {'it' if len(failed) == 1 else f'these {len(failed)}'} again"
    st.button(label, key=key, icon=":material/refresh:", on_click=_start, args=(run, key))
    if problem := st.session_state.pop("failed_problem", ""):
        st.error(problem)
    job = watch.watch(key)
    if job is not None and job.state == DONE and job.result:
        st.error(job.result)


def _start(run: Run, key: str) -> None:
    """Queue the takes (a callback)."""
    try:
        title = f"Failed chunks of {run.id}"
        watch.remember(key, resources.job_manager().start(title, lambda job: _again(job, run), SPEECH_LANE))
    except WorkbenchError as error:
        st.session_state.failed_problem = str(error)


def _again(job: Job, run: Run) -> str:
    """Make the takes; return why the last one that failed again did, or ""."""
    failed, problem = run.failed, ""
    for done, index in enumerate(failed):
        job.report(done / len(failed), f"chunk {index + 1}")
        try:
            make_take(run.id, index, pool=resources.pool(), seed=run.chunks[index].seed, on_step=lambda at: job.check())
        except WorkbenchError as error:
            job.check()
            problem = str(error)
    return problem
