"""Actions on a finished run: download its files, save it again, make one chunk again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import profile_of
from workbench.engine.speech.requests import Remake
from workbench.ui import document, resources
from workbench.ui.scripts import files

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


def downloads(run: Run) -> None:
    """Draw one button per export; the file is made when its button is pressed."""
    from workbench.engine.runs import exports

    with st.container(horizontal=True, gap="small"):
        for made in exports.every():
            if run.is_long and made.writer is not None:
                continue
            st.download_button(
                made.label,
                data=partial(made.make, run),
                file_name=made.file_name(run),
                mime=made.mime,
                help=made.about,
                on_click="ignore",
                key=f"download_{made.name}",
            )
        if run.request.profile and (trace := _profile(run)) is not None:
            st.download_button(
                "Profile",
                data=trace,
                file_name=f"f5tts-{run.id}.trace.json.gz",
                mime="application/gzip",
                help="Every operation of the device beside the stages, for ui.perfetto.dev",
                on_click="ignore",
                key="download_profile",
            )
    files.downloads(run)
    if run.is_long:
        st.caption(f"Sound: `workbench runs export {run.id} --as wav`, `--files chapter` for a file for each chapter.")


def _profile(run: Run) -> bytes | None:
    """Return the trace of ``run`` from memory, else from its folder; None if it is gone."""
    try:
        return run.profile or profile_of(run.id)
    except WorkbenchError:
        return None


def unsaved(job: SpeechJob) -> None:
    """Say that the finished run of ``job`` is in memory only; offer to save it again or to discard it."""
    st.error(f"{job.save_error} The run is complete and stays in memory until this server stops.")
    with st.container(horizontal=True, gap="small"):
        if st.button("Save again", key=f"save_again_{job.id}", type="primary", icon=":material/save:"):
            job.save_again()
            st.rerun()
        if st.button("Discard", key=f"discard_{job.id}", icon=":material/delete:"):
            job.discard()
            st.rerun()


@st.fragment
def remake(run: Run) -> None:
    """Draw the form that makes one chunk again, with other words or another seed. The other chunks stay unchanged."""
    try:
        resources.voice_of(run)
    except WorkbenchError as error:
        st.text(str(error))
        return
    which, seed_box = st.columns([3, 1], vertical_alignment="bottom")
    names = [f"{i + 1}: {c.chunk.text[:70]}" for i, c in enumerate(run.chunks)]
    index = which.selectbox("Chunk", range(len(names)), format_func=names.__getitem__, key=f"remake_{run.id}")
    old = run.chunks[index]
    seed = seed_box.number_input("Seed", 0, 2**31 - 1, (old.seed + 1) % 2**31, key=f"remake_seed_{run.id}_{index}")
    words = st.text_input("Words", old.chunk.text, key=f"remake_words_{run.id}_{index}")
    job = document.job()
    busy = job is not None and job.is_active
    if st.button(f"Make chunk {index + 1} again", key="remake", disabled=busy, icon=":material/refresh:"):
        changed = words if words.strip() != old.chunk.text else None
        try:
            wanted = run.request.replace(profile=False, remake=Remake(run.id, index, int(seed), changed), sweep="")
            started = resources.job_manager().submit(SpeechJob(wanted))
        except WorkbenchError as error:
            st.error(str(error))
            return
        document.show(started.id)
    if busy:
        st.caption("A job of this page is running; its progress is at the top.")
