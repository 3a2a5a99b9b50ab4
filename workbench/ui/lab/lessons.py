"""Two lessons on the lab's page: the cost of a Hub that does not answer, and two threads with one cached text."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.engine.jobs.queue import DONE, Job
from workbench.lab import measuring
from workbench.ui.lab import view
from workbench.ui.lab.live import LANE
from workbench.ui.parts import watch
from workbench.ui.resources import job_manager


def calculator() -> None:
    """Calculator of the seconds lost: chunks x files x time-out."""
    st.header("Cost of a Hub that does not answer")
    one, two, three, four = st.columns(4, vertical_alignment="bottom")
    chunks = one.number_input("Chunks", 1, 500, 3, key="calc_chunks")
    files = two.number_input(
        "Files requested for each chunk", 1, 10, 2, key="calc_files", help="config.yaml and the weights."
    )
    timeout = three.number_input("Time-out, s", 1, 120, measuring.DEFAULT_TIMEOUT_SECONDS, key="calc_timeout")
    four.metric("Time lost", f"{chunks * files * timeout:,} s")
    st.caption(
        f"{chunks} × {files} × {timeout} s. A host name with several addresses can cost a multiple: the client tries "
        "each. A file that is not in the cache costs minutes: the client then retries, six times 60 s."
    )


def threads() -> None:
    """The lesson on two threads and one cached text."""
    st.header("Two threads, one cached text")
    st.markdown(
        "Upstream 1.1.18 (March 2026) ran chunks in parallel, but kept the embedded text of a chunk as an attribute "
        "of the shared model. A second thread found the first one's text there. 1.1.19 gave each thread its own "
        "cache. The workbench holds one lock around each chunk, so only one chunk at a time is in the model. This "
        "costs little, because one chunk already keeps the device busy."
    )
    if st.button("Run both threads", key="lab_threads", icon=":material/call_split:"):
        watch.remember("threads", job_manager().start("Two threads", _lesson, lane=LANE))
    job = watch.watch("threads")
    if job is None or job.state != DONE:
        return
    cases, cost, code = job.result
    st.html(view.cases_html(cases))
    st.caption(
        f"Two chunks in two threads on this machine, median of three: {cost['parallel_seconds']:.2f} s in parallel "
        f"with one cache for each thread, {cost['lock_seconds']:.2f} s one after the other with the lock."
    )
    st.code(code, language="python")


def _lesson(job: Job) -> tuple[Any, dict[str, float], str]:
    from workbench.lab import two_threads

    job.report(0.05, "loading a separate model")
    cfm = two_threads.demo_cfm()
    job.report(0.3, "two threads")
    cases = two_threads.lesson(cfm)
    job.report(0.7, "timing the lock")
    return cases, two_threads.lock_cost(cfm), two_threads.code(two_threads.shared_cache, two_threads.two_threads)
