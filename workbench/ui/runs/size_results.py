"""Measured chunk sizes of one text: numbers, distance to the largest size, sound, and a link that compares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import Job
from workbench.engine.measures import Pair
from workbench.engine.measures import get as get_measure
from workbench.engine.runs.store import RunSummary
from workbench.ui import dock, document, resources
from workbench.ui.fragments import fragment
from workbench.ui.runs.size_view import measured
from workbench.ui.workspace.inspector import Form

POLL_SECONDS = 1.0
_MCD = get_measure("mcd_decibels")
_HEAD = (("size", 75), ("chunks", 60), ("whole text", 75), ("RTF", 50), ("first audio", 80), ("distance", 85))


def show(text: str, form: Form) -> None:
    """Draw one row per measured size of ``text``; nothing before the first."""
    assert form.voice is not None and form.settings is not None
    runs = measured(text, form.voice.name, form.settings, form.model)
    if not runs:
        return
    st.header("Measured sizes of this text")
    others = [run.id for run in runs[:-1] if not _is_long(run, runs[-1])]
    missing = [run_id for run_id in others if _known(run_id, runs[-1].id) is None]
    if missing:
        _measure(missing, runs[-1].id)
    fragment(run_every=POLL_SECONDS if missing else None)(_rows)(runs, bool(missing), form.settings.max_chunk_bytes)


def _rows(runs: Sequence[RunSummary], was_missing: bool, in_use: int | None) -> None:
    largest = runs[-1]
    with st.container(horizontal=True, gap="small", key="sizes_head"):
        for name, width in _HEAD:
            st.html(f'<div class="wb-dim">{name}</div>', width=width)
    for run in runs:
        _row(run, largest, in_use)
    short = [run for run in runs[:-1] if not _is_long(run, largest)]
    if was_missing and all(_known(run.id, largest.id) is not None for run in short):
        st.rerun()  # no more polling
    st.caption(
        "Distance: mel-cepstral distortion to the run with the largest chunks, time-aligned. It says how much two "
        "readings differ, not which is better: listen."
    )


def _row(run: RunSummary, largest: RunSummary, in_use: int | None) -> None:
    size = run.settings["max_chunk_bytes"]
    apart = "–" if run is largest or _is_long(run, largest) else _shown(_known(run.id, largest.id))
    cells = (f"<b>{size} bytes</b>", f"{run.n_chunks}", f"{run.total_seconds:.2f} s", f"{run.rtf or 0:.2f}",
             f"{run.first_audio_seconds:.2f} s", apart)  # fmt: skip
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"size_row_{size}"):
        for cell, (name, width) in zip(cells, _HEAD, strict=True):
            named = "" if name == "size" else f'<span class="wb-dim wb-name">{name} </span>'  # where there is no head
            st.html(f"<div>{named}{cell}</div>", width=width)
        try:
            dock.button(dock.of_run(resources.saved_run(run.id)), f"Play {size}", key=f"play_size_{size}")
        except WorkbenchError as error:
            st.caption(str(error))
        if run is not largest:
            st.page_link(
                "views/runs.py", label="Compare", icon=":material/compare_arrows:",
                query_params={"run": run.id, "b": largest.id},
                help=f"Compare {size} bytes with {largest.settings['max_chunk_bytes']} bytes on the page Runs",
            )  # fmt: skip
        if size == in_use:
            st.caption("In use", width="content")
        elif st.button("Use", key=f"use_size_{size}", type="tertiary", icon=":material/check:",
                       help=f"Put {size} bytes into the form"):  # fmt: skip
            document.use(max_chunk_bytes=size)


def _is_long(*runs: RunSummary) -> bool:
    """Whether one of ``runs`` is too long to be compared as a whole."""
    return any(run.is_long for run in runs)


def _shown(value: float | None) -> str:
    if value is None:
        return "measuring …"
    return "–" if math.isnan(value) else _MCD.shown(value)


# Distances take a second each: they are measured in a job, and kept -------------------------------------------------


@st.cache_resource(show_spinner=False)
def _distances() -> dict[tuple[str, str], float]:
    return {}


def _known(run_id: str, largest: str) -> float | None:
    return _distances().get((run_id, largest))


def _measure(run_ids: Sequence[str], largest: str) -> None:
    """Start the job that measures, unless it is active already."""
    title = f"Distances to {largest}: {' '.join(run_ids)}"
    if any(job.is_active and job.title == title for job in resources.job_manager().jobs()):
        return

    def work(job: Job) -> None:
        for index, run_id in enumerate(run_ids):
            job.report(index / len(run_ids))
            try:
                pair = Pair(resources.saved_run(largest).mel, resources.saved_run(run_id).mel)
                value = _MCD.value(pair)
                _distances()[run_id, largest] = float("nan") if value is None else value
            except WorkbenchError:  # deleted meanwhile
                _distances()[run_id, largest] = float("nan")

    resources.job_manager().start(title, work)
