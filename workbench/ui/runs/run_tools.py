"""Actions on a finished run: download its files, save it again."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import profile_of
from workbench.ui.scripts import files

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


def downloads(run: Run, only: Collection[str] = ()) -> None:
    """Draw one button per export, or for those in ``only``; the file is made when its button is pressed."""
    from workbench.engine.runs import exports

    with st.container(horizontal=True, gap="small"):
        for made in exports.every():
            if (run.is_long and made.writer is not None) or (only and made.name not in only):
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
    if not only:
        files.downloads(run)
    if run.is_long and not only:
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
