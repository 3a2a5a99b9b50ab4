"""One line on every page: the run you hear, the run beside it, and links to their text."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import RunError
from workbench.engine.runs.store import read_document, run_folder, version_of
from workbench.ui import document, resources, style

SHOWN = 48  # characters of a text


def tab_title(page: str) -> str:
    """Return the title of the browser's tab: page and words of the current run."""
    run_id = document.current()
    words = _facts(run_id)[0] if run_id else ""
    return " · ".join([page, *([_short(words, 32)] if words else []), "F5-TTS workbench"])


def show() -> None:
    """Draw the line; nothing while there is no run."""
    run_id, other = document.current(), document.second()
    if document.missing():
        _missing()
    if not run_id:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="current_run"):
        _link("A", run_id)
        if not other:
            return
        _link("B", other)
        if st.button("Swap", key="swap_runs", icon=":material/swap_horiz:", type="tertiary", help="Exchange A and B"):
            document.swap()
        if st.button("Close B", key="close_second", icon=":material/close:", type="tertiary"):
            document.compare_with(None)


def _missing() -> None:
    """Say that the address names no run, and offer to go on without."""
    st.error(document.missing())
    if st.button("Start afresh", key="start_afresh", icon=":material/restart_alt:"):
        document.close()


def _link(letter: str, run_id: str) -> None:
    words, about = _facts(run_id)
    shown = style.plain(_short(words, SHOWN)) or run_id
    query = {"run": run_id} | ({"b": document.current() or ""} if letter == "B" else {})
    if letter == "A" and (other := document.second()):
        query["b"] = other
    st.page_link(
        "views/synthesize.py", label=f"**{letter}** “{shown}” · {about}", query_params=query,
        help=f"Run {run_id}: open its text and settings",
    )  # fmt: skip


def _facts(run_id: str) -> tuple[str, str]:
    """Return the text of a run or job, and its length in words."""
    job = resources.job_manager().get(run_id)
    if job is not None and hasattr(job, "request") and job.run is None:
        return job.request.text, job.state
    try:
        version = version_of(run_folder(run_id))
    except RunError:
        return "", "deleted"
    return resources.kept().get(("facts", run_id, version), lambda: _read(run_id))


def _read(run_id: str) -> tuple[str, str]:
    try:
        found = read_document(run_id)
    except RunError:
        return "", "cannot be read"
    n_chunks = len(found["chunks"])
    return found["text"], f"{found['audio_seconds']:.1f} s · {n_chunks} chunk{'s' if n_chunks > 1 else ''}"


def _short(words: str, limit: int) -> str:
    line = " ".join(words[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
