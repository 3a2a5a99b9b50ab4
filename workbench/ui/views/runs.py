"""Page: every saved run, to find, hear, compare, annotate and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from urllib.parse import urlencode

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import exports
from workbench.engine.runs.finding import query as search
from workbench.engine.runs.store import (
    NOTE_MAX_CHARACTERS,
    RunSummary,
    annotate,
    load_run,
    scan,
)
from workbench.engine.runs.summary import MEASURED
from workbench.ui import dock, document, resources, style
from workbench.ui.compare import address, bundle, deleting, scatter, table
from workbench.ui.compare import view as compare_view
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import run_tools, run_view, unfinished_view


def save_note(run_id: str, key: str) -> None:
    """Save the note of a run. Called when it was changed."""
    try:
        annotate(run_id, note=st.session_state[key])
    except WorkbenchError as error:
        st.session_state["runs_error"] = str(error)


def save_star(run_id: str, key: str) -> None:
    """Save the star of a run. Called when it was set or removed."""
    try:
        annotate(run_id, star=st.session_state[key])
    except WorkbenchError as error:
        st.session_state["runs_error"] = str(error)


def one(run: RunSummary) -> None:
    """Draw a single run."""
    st.header(f"Run {run.id}")
    with st.container(height=150 if len(run.text) > 600 else "content", border=False):
        st.text(run.text)
    with st.container(horizontal=True, vertical_alignment="center"):
        dock.button(dock.of_run(resources.saved_run(run.id)), key="play_run")
        if document.current() not in (None, run.id) and st.button(
            "Compare with the current run", key="as_second", icon=":material/compare_arrows:", type="tertiary",
            help="Hold it as B in the player",
        ):  # fmt: skip
            document.compare_with(run.id)
    if run.remade_chunk is not None:
        st.caption(f"{run.remade.capitalize()} was remade; the times are those of all chunks.")
    facts = {"audio": f"{run.seconds:.2f} s", "total": f"{run.total_seconds:.2f} s"}
    facts |= {m.label: m.shown(m.value(run.times)) for m in measures.known(measures.RUN, [run.times])}
    facts |= {m.label: m.shown(run.measured[m.name]) for m in MEASURED if m.name in run.measured}
    facts["chunks"] = str(run.n_chunks)
    if run.n_reused:
        facts["reused"] = run.reused if run.n_reused < run.n_chunks else "all of them, so there is no RTF"
    style.facts(facts)
    left, right = st.columns([3, 1], vertical_alignment="top")
    with left:
        key = f"note_{run.id}"
        st.text_area("Note", run.note, key=key, max_chars=NOTE_MAX_CHARACTERS, height=80, on_change=save_note,
                     args=(run.id, key), placeholder="What did you hear?")  # fmt: skip
    with right:
        key = f"star_{run.id}"
        st.toggle("Star", run.star, key=key, on_change=save_star, args=(run.id, key))
        st.page_link("views/synthesize.py", label="Synthesize", icon=":material/graphic_eq:",
                     query_params={"run": run.id})  # fmt: skip
        st.page_link("views/spectrograms.py", label="Listen and look", icon=":material/equalizer:",
                     query_params={"run": run.id})  # fmt: skip
        if run.has_trajectory:
            st.page_link("views/flow.py", label="Flow", icon=":material/water:", query_params={"run": run.id})
    if run.is_long:
        return
    opened = st.expander("Stages", icon=":material/timeline:", on_change="rerun", key=f"stages_{run.id}")
    if opened.open:
        whole = load_run(run.id, trajectories=False)
        with opened:
            run_view.bars(
                figures.gantt_with_utilisation(whole.spans, whole.utilisation, dark=is_dark()), "run_gantt",
                "Stages of every chunk, and the use of the machine",
            )  # fmt: skip


def actions(runs: Sequence[RunSummary]) -> None:
    """Draw the actions for the ticked runs."""
    short = [run.id for run in runs if not run.is_long]
    with st.container(horizontal=True, vertical_alignment="center"):
        label = "Delete" if len(runs) == 1 else f"Delete {len(runs)} runs"
        if st.button(label, icon=":material/delete:", key="delete"):
            deleting.confirm(runs)
        if short:
            one_zip = len(short) == 1
            st.download_button(
                "Run, as zip" if one_zip else f"{len(short)} runs, as zip",
                (lambda: exports.get("zip").make(load_run(short[0], trajectories=False)))
                if one_zip
                else (lambda: bundle.zip_of(short)),
                file_name=f"f5tts-{short[0]}.zip" if one_zip else f"f5tts-{len(short)}-runs.zip",
                mime="application/zip", on_click="ignore", icon=":material/folder_zip:", key="zip",
            )  # fmt: skip
        if base := run_view.origin():
            with st.popover("Link", icon=":material/link:", key="runs_link"):
                st.code(f"{base}/runs?{urlencode({'runs': ','.join(run.id for run in runs)}, safe=',')}", None)
        for run in runs:
            if run.is_long:
                st.caption(f"Files of {run.id}: `workbench runs export {run.id} --as zip`")


def unsaved() -> None:
    """Draw the finished runs that are in memory only."""
    for job in resources.job_manager().unsaved():
        st.text(f"{job.id}: {job.title}")
        run_tools.unsaved(cast(SpeechJob, job))
        st.page_link("views/synthesize.py", label="Open and download", icon=":material/open_in_new:",
                     query_params={"run": job.id})  # fmt: skip


def damaged(broken: Sequence[tuple[str, str]]) -> None:
    """Draw the run folders that cannot be read, and a button to delete some or all."""
    if not broken:
        return
    with st.expander(f"{len(broken)} damaged run{'s' if len(broken) > 1 else ''}", icon=":material/broken_image:"):
        st.text("\n".join(reason for _, reason in broken))
        names = [run_id for run_id, _ in broken]
        chosen = st.multiselect("Delete only", names, key="broken_chosen", placeholder="all of them") or names
        if st.button("Delete them", key="delete_broken", icon=":material/delete:"):
            deleting.confirm_damaged(chosen)


def hint(n_shown: int, starred: bool) -> str:
    """Return what to do with a table of ``n_shown`` runs, or with none."""
    if not n_shown:
        return "No starred run is among them." if starred else "No run has all of this; clear the search to see all."
    cut = f" The table shows the newest {table.TABLE_ROWS}; search to find older ones."
    return "Tick one to open it, two or more to compare." + (cut if n_shown > table.TABLE_ROWS else "")


st.title("Runs")
deleting.said()
for key, show in (("runs_said", st.success), ("runs_error", st.error)):
    if key in st.session_state:
        show(st.session_state.pop(key))
unsaved()
unfinished_view.show()
every: list[RunSummary] = []
broken: list[tuple[str, str]] = []
try:
    every, broken = scan()
except WorkbenchError as error:
    st.error(str(error))
if every:
    place, only = st.columns([4, 1], vertical_alignment="bottom")
    query = place.text_input(
        "Search", key="find", live=True, placeholder="words, or nfe_step=7 wer<0.1 voice=Nora", max_chars=200,
        bind="query-params",
        help="Words of text, note or voice, and comparisons with <, <=, >, >=, = and !=. Settings and measures have "
             "the names of the command line; wer is a fraction, wer<10% is the same as wer<0.1. Quote what has spaces: "
             "note=\"a click\".",
    )  # fmt: skip
    starred = only.toggle("Starred only", key="starred", bind="query-params")
    try:
        shown = [run for run in search.find(every, query) if run.star or not starred]
        st.caption(f"{len(shown)} of {len(every)} runs. {hint(len(shown), starred)}")
        address.warn_of_missing({run.id for run in every})
        chosen = table.show(shown) if shown else []
        address.write(chosen)
        scatter.show(shown)
        if chosen:
            actions(chosen)
        if len(chosen) == 1:
            one(chosen[0])
        elif chosen:
            compare_view.compare(chosen)
    except WorkbenchError as error:
        st.error(str(error))
else:
    style.empty("No run yet. Speech from the page <b>Synthesize</b> is saved and listed here.", synthesize="Synthesize")
damaged(broken)
