"""What all pages show of the current run: the tab's title, one line with both runs, and the sound in the player."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import run_folder, version_of
from workbench.ui import dock, document, resources, style
from workbench.ui.fragments import fragment
from workbench.ui.workspace import expected

SHOWN = 48  # characters of a text
_CHUNKS_A_SECOND = 1_000  # of a run that is made: its list of chunks goes to the browser at every poll


def tab_title(page: str) -> str:
    """Return the title of the browser's tab: page and words of the current run."""
    run_id = document.current()
    words = _facts(run_id)[0] if run_id else ""
    return " · ".join([page, *([_short(words, 32)] if words else []), "F5-TTS workbench"])


def show(*, with_line: bool = True) -> None:
    """Draw the line, and put the runs into the player; nothing while there is no run.

    ``with_line`` false: only the player, for the page that shows the run itself.
    """
    if reason := document.missing():
        offer_afresh(reason)
    job = document.job()
    active = job is not None and job.is_active
    poll = 1 + len(job.plan) / _CHUNKS_A_SECOND if job is not None else 1
    fragment(run_every=poll if active else None)(_line)(active, with_line)


def _line(was_active: bool, with_line: bool) -> None:
    run_id, other = document.current(), document.second()
    if not run_id:
        return
    if with_line:
        _links(run_id, other)
    _hold(other)
    job = document.job()
    if was_active and job is not None and not job.is_active:
        settle(job)


def settle(job: SpeechJob) -> None:
    """Draw the page once more when ``job`` has ended, so that it shows the finished run."""
    if st.session_state.get("settled") != job.id:
        st.session_state.settled = job.id
        expected.forget()
        st.rerun()


def _links(run_id: str, other: str | None) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="current_run"):
        _link("A", run_id)
        if other:
            _link("B", other)
            if st.button("Swap", key="swap_runs", icon=":material/swap_horiz:", type="tertiary",
                         help="Exchange A and B"):  # fmt: skip
                document.swap()
            if st.button("Close B", key="close_second", icon=":material/close:", type="tertiary"):
                document.compare_with(None)


def _hold(other: str | None) -> None:
    """Put the current run into the player, also while it is made, and the second one beside it."""
    job, second = document.job(), None
    if other and (beside := document.read(other)) is not None:
        second = document.sound_of(beside)
    if job is not None and job.run is None:
        if job.plan:
            autoplay = st.session_state.get("started_here") == job.id
            dock.show(dock.of_job(job), second, active=job.is_active, autoplay=autoplay)
    elif (run := document.run()) is not None:
        # also here: a run of reused chunks is done before it was ever seen in the making
        dock.show(document.sound_of(run), second, autoplay=st.session_state.get("started_here") == run.id)


def offer_afresh(reason: str, key: str = "start_afresh") -> None:
    """Draw ``reason``, why a run of the address cannot be shown, and a button ``key`` that goes on without the runs."""
    st.error(reason)
    if st.button("Start afresh", key=key, icon=":material/restart_alt:"):
        document.close()


def _link(letter: str, run_id: str) -> None:
    words, about = _facts(run_id)
    shown = style.plain(_short(words, SHOWN)) or run_id
    query = {"run": run_id}
    other = document.second() if letter == "A" else document.current()
    if other:
        query["b"] = other
    facts = about.replace(" ", "\N{NO-BREAK SPACE}")  # a number stays with its unit where the line wraps
    st.page_link(
        "views/synthesize.py", label=f"**{letter}** “{shown}” · {facts}", query_params=query,
        help=f"Run {run_id}: open its text and settings",
    )  # fmt: skip


def _facts(run_id: str) -> tuple[str, str]:
    """Return the text of a run or job, and its length in words."""
    job: Any = resources.job_manager().get(run_id)
    if job is not None and hasattr(job, "request") and job.run is None:
        return job.request.text, job.state
    try:
        version = version_of(run_folder(run_id))
    except RunError:
        return "", "deleted"
    return resources.kept().get(("facts", run_id, version), lambda: _read(run_id))


def _read(run_id: str) -> tuple[str, str]:
    try:
        found = resources.saved_run(run_id)
    except WorkbenchError:
        return "", "cannot be read"
    n_chunks = len(found.chunks)
    seconds = found.audio_seconds
    length = f"{seconds:.1f} s" if seconds < 600 else style.duration(seconds)
    return found.text, f"{length} · {n_chunks:,} chunk{'s' if n_chunks > 1 else ''}"


def _short(words: str, limit: int) -> str:
    line = " ".join(words[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
