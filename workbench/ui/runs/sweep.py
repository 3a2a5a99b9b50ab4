"""Measure chunk sizes: queue one job per size and draw the results as they finish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import list_runs
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice
from workbench.figures.theme import stage_colour
from workbench.ui import resources
from workbench.ui.runs.run_live import status_line

POLL_SECONDS = 0.7
SIZES = (40, 60, 90, 140, 200, 300, 450)


def start(request: SpeechRequest, sizes: Sequence[int]) -> None:
    """Queue one run of ``request`` per size, all with the same sweep name."""
    jobs = []
    try:
        for size in sizes:
            trial = request.replace(settings=request.settings.replace(max_chunk_bytes=size), sweep="chunk size")
            jobs.append(resources.job_manager().submit(SpeechJob(trial, f"{size} bytes")))
    except WorkbenchError as error:
        st.error(str(error))
    st.session_state.sweep_jobs = [job.id for job in jobs]
    st.session_state.sweep_settled = False
    st.rerun()


def jobs() -> list[SpeechJob]:
    """Return the jobs of this session's last sweep that the server still has."""
    found = (resources.job_manager().get(job_id) for job_id in st.session_state.get("sweep_jobs", ()))
    return [cast(SpeechJob, job) for job in found if job is not None]


def measured(text: str, voice: Voice, settings: SynthesisSettings, model: str) -> list[tuple[int, float, float]]:
    """Return (size, total seconds, first-audio seconds) of every saved run of this text, voice, model and settings."""
    wanted = settings.as_dict()
    ignored = ("max_chunk_bytes", "seed", "keep_trajectory")
    return [
        (run.settings["max_chunk_bytes"], run.total_seconds, run.first_audio_seconds)
        for run in list_runs()
        if (run.text, run.voice, run.model, run.parent) == (text, voice.name, model, "")
        and run.settings.get("max_chunk_bytes")
        and all(run.settings.get(name) == value for name, value in wanted.items() if name not in ignored)
    ]


def progress() -> None:
    """Draw the state of the sweep and refresh it while it runs; draw nothing if there was no sweep."""
    if jobs():
        st.fragment(run_every=POLL_SECONDS if any(job.is_active for job in jobs()) else None)(_progress)()


def _progress() -> None:
    mine = jobs()
    active = any(job.is_active for job in mine)
    n_done = sum(job.state == DONE for job in mine)
    line, button = st.columns([5, 1], vertical_alignment="center")
    with line:
        now = next((job for job in mine if job.is_active), None)
        doing = f" · {now.title}: {now.doing} {now.fraction:.0%}" if now else ""
        status_line(f"{n_done} of {len(mine)} sizes measured{doing}", stage_colour("ode") if active else "#2a9d78")
        st.progress(sum(job.fraction for job in mine) / len(mine))
    if button.button("Cancel", key="sweep_cancel", disabled=not active, width="stretch"):
        for job in mine:
            job.cancel()
    for job in mine:
        if job.error or job.save_error:
            st.error(f"{job.title}: {job.error or job.save_error}")
    if n_done > st.session_state.get("sweep_drawn", 0) and active:
        st.session_state.sweep_drawn = n_done
        st.rerun()
    if not active and not st.session_state.get("sweep_settled"):
        st.session_state.sweep_settled, st.session_state.sweep_drawn = True, 0
        st.rerun()
