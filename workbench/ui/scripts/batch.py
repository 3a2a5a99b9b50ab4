"""Speak a table of texts: check its rows, queue them, watch them, and take the files away."""

from __future__ import annotations

import hashlib
from html import escape
from typing import cast

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.reading import text_of
from workbench.engine.scripts.batch import Line, read_lines
from workbench.engine.scripts.jobs import BatchJob
from workbench.engine.speech.requests import VoiceRef
from workbench.ui import document, resources
from workbench.ui.fragments import fragment
from workbench.ui.scripts import session

MAX_MEGABYTES = 5
POLL_SECONDS = 0.7
SHOWN_ROWS = 200
EXAMPLE = "id,text,voice,speed\nhello,Hello there.,Nora,\nbye,Goodbye then.,Arthur,0.9\n"


def show() -> None:
    """Draw the form and the state of the last batch of this session."""
    st.markdown("A CSV with the column `text`, and any of `id`, `voice` and settings: a run and a file for each row.")
    st.download_button("An example", EXAMPLE, "texts.csv", "text/csv", on_click="ignore", key="batch_example")
    kinds = ["csv", "tsv", "txt"]
    given = st.file_uploader("Table of texts", type=kinds, max_upload_size=MAX_MEGABYTES, key="batch_file")
    if given is not None:
        _table(given.name, given.getvalue())
    job = _job()
    if job is not None:
        fragment(run_every=POLL_SECONDS if job.is_active else None)(_state)(job)


def _table(name: str, content: bytes) -> None:
    """Show what the rows will be, and the button that speaks them with the settings of the form."""
    try:
        lines = _lines(name, content)
    except WorkbenchError as error:
        st.error(str(error))
        return
    st.dataframe(
        [
            {"id": line.id, "voice": ", ".join(line.voices), "text": line.request.text if line.request else "",
             "problem": line.error}
            for line in lines[:SHOWN_ROWS]
        ],
        hide_index=True, height="content" if len(lines) < 8 else 280,
    )  # fmt: skip
    bad = sum(line.request is None for line in lines)
    st.caption(f"{len(lines)} rows" + (f", {bad} with a problem, which are left out and reported" if bad else "")
               + (f"; the first {SHOWN_ROWS} are shown" if len(lines) > SHOWN_ROWS else ""))  # fmt: skip
    job = _job()
    if st.button(
        f"Speak {len(lines) - bad} rows", key="batch_go", type="primary",
        disabled=bad == len(lines) or (job is not None and job.is_active),
    ):  # fmt: skip
        digest = hashlib.sha256(content).hexdigest()[:10]
        try:
            started = resources.job_manager().submit(BatchJob(f"{_plain(name)}-{digest}", lines))
        except (WorkbenchError, OSError) as error:
            st.error(str(error))
            return
        st.session_state["batch_job"] = started.id
        st.rerun()


def _lines(name: str, content: bytes) -> list[Line]:
    """The rows with voice, model and settings of the form. Raises WorkbenchError."""
    words = text_of(content, name, "Save it as UTF-8; Excel calls that CSV UTF-8.")
    main: VoiceRef | None = st.session_state.get("form_voice")
    voice = resources.pool().voice(main) if main is not None else resources.default_voice()
    return read_lines(
        words, session.cast(voice), document.settings(), model=document.model(), load=document.load(),
        reuse=bool(st.session_state.get("reuse", True)),
    )  # fmt: skip


def _job() -> BatchJob | None:
    """The last batch of this session, if the server still has it."""
    found = resources.job_manager().get(st.session_state.get("batch_job"))
    return cast(BatchJob, found) if hasattr(found, "batch") else None


def _state(job: BatchJob) -> None:
    done, whole = job.done, len(job.batch.lines)
    failed = sum(one.status != "done" for one in done)
    said = f"{len(done)} of {whole} rows" + (f", {failed} failed" if failed else "")
    st.progress(len(done) / whole if not job.is_active else job.fraction, f"{said} · {job.doing}")
    if job.error:
        st.error(job.error)
    if job.is_active:
        if st.button("Cancel", key="batch_cancel"):
            job.cancel()
    elif done:
        st.download_button(
            "Sounds and report, as zip", data=job.archive, file_name=f"{job.batch.folder.name}.zip",
            mime="application/zip", on_click="ignore", key="batch_zip", type="primary",
        )  # fmt: skip
    for one in [one for one in done if one.error][:5]:
        line = escape(f"{one.id}: {one.error}")
        st.html(f'<div class="wb-state"><span class="wb-warn">⚠</span><span>{line}</span></div>')
    if not job.is_active and st.session_state.get("batch_settled") != job.id:
        st.session_state["batch_settled"] = job.id
        st.rerun()  # the form can be used again


def _plain(name: str) -> str:
    """The name of a file as that of a folder."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name.rsplit(".", 1)[0])[:40] or "batch"
