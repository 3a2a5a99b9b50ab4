"""Page: every saved run, to find, hear, compare, annotate and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.writing import human_bytes
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import exports
from workbench.engine.runs.finding import query as search
from workbench.engine.runs.store import (
    NOTE_MAX_CHARACTERS,
    RunSummary,
    annotate,
    delete_run,
    folder_bytes,
    is_link,
    load_run,
    runs_root,
    scan,
)
from workbench.engine.runs.summary import MEASURED
from workbench.ui import dock, resources, style
from workbench.ui.compare import address, scatter
from workbench.ui.compare import view as compare_view
from workbench.ui.parts import tables
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import run_tools, run_view, unfinished_view

TABLE_ROWS = 500  # the whole table goes to the browser, and a row with its waveform has 1 KB


def first_rows(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the first ``TABLE_ROWS`` of ``runs``, and those in the address that come later."""
    wanted = address.wanted()
    return [*runs[:TABLE_ROWS], *(run for run in runs[TABLE_ROWS:] if run.id in wanted)]


def table(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the table of ``runs``; return the ticked ones."""
    base = run_view.origin()
    measured = measures.known(measures.RUN, [run.times for run in runs])
    kept = [m for m in MEASURED if any(m.name in run.measured for run in runs)]
    rows = [
        {
            "★": "★" if run.star else "",
            "made (UTC)": run.created_at[:19].replace("T", " "),
            "text": run.text,
            "shape": list(run.envelope),
            "sound": f"{base}/api/runs/{run.id}/audio.wav" if base else None,
            "audio (s)": run.seconds,
            "total (s)": run.total_seconds,
            **{m.title: m.value(run.times) for m in measured},
            **{m.title: run.measured.get(m.name) for m in kept},
            "chunks": run.n_chunks,
            "remade": run.remade,
            "NFE": run.settings.get("nfe_step"),
            "seed": run.settings.get("seed"),
            "voice": run.voice,
            "model": run.model,
            "note": run.note,
            "size": human_bytes(run.n_bytes),
            "id": run.id,
        }
        for run in runs
    ]
    number = st.column_config.NumberColumn
    columns = {
        "★": st.column_config.TextColumn(width=30),
        "text": st.column_config.TextColumn(width=280),
        "shape": st.column_config.AreaChartColumn(width=110, y_min=0, help="Peaks of the waveform"),
        "sound": st.column_config.AudioColumn(width=60, help="Double-click to play"),
        "audio (s)": number(format="%.2f"),
        "total (s)": number(format="%.2f", help="Processing time without loading"),
    } | tables.measure_columns()
    wanted = address.wanted()
    ticked = [k for k, run in enumerate(runs) if run.id in wanted]
    event = st.dataframe(
        rows, hide_index=True, column_config=columns, on_select="rerun", selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked}},
        key=f"runs_{len(runs)}_{runs[0].id}_{runs[-1].id}", alt="All runs; tick one to open it, two or more to compare",
    )  # fmt: skip
    return [runs[k] for k in event["selection"]["rows"] if k < len(runs)]


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


@st.dialog("Delete permanently?")
def confirm(run_ids: Sequence[str], n_bytes: int) -> None:
    """Draw what will be deleted, and the button that deletes it."""
    st.write(f"{len(run_ids)} run{'s' if len(run_ids) > 1 else ''}, {human_bytes(n_bytes)}:")
    st.text("\n".join(run_ids))
    n_links = sum(is_link(run_id) for run_id in run_ids)
    if n_links:
        st.caption(f"{n_links} of these are links: only the link is deleted, not the folder it points to.")
    if st.button("Delete", type="primary", icon=":material/delete:", key="delete_now", width="stretch"):
        delete(run_ids, n_links)
        st.rerun()


def delete(run_ids: Sequence[str], n_links: int) -> None:
    """Delete the runs, also if some cannot be deleted, and keep a message for the page."""
    freed, problems = 0, []
    for run_id in run_ids:
        try:
            freed += delete_run(run_id)
        except WorkbenchError as error:
            problems.append(str(error))
    st.query_params.pop("run", None)
    if len(problems) < len(run_ids):
        links = f" Of {n_links} only the link was deleted, not the folder it points to." if n_links else ""
        st.session_state["runs_said"] = f"Deleted; this freed {human_bytes(freed)}.{links}"
    if problems:
        st.session_state["runs_error"] = " ".join(problems)


def one(run: RunSummary) -> None:
    """Draw a single run."""
    st.subheader(f"Run {run.id}")
    with st.container(height=150 if len(run.text) > 600 else "content", border=False):
        st.text(run.text)
    dock.button(dock.of_run(resources.saved_run(run.id)), key="play_run")
    if run.remade_chunk is not None:
        st.caption(f"{run.remade.capitalize()} was remade; the times are those of all chunks.")
    facts = {"audio": f"{run.seconds:.2f} s", "total": f"{run.total_seconds:.2f} s"}
    facts |= {m.label: m.shown(m.value(run.times)) for m in measures.known(measures.RUN, [run.times])}
    facts |= {m.label: m.shown(run.measured[m.name]) for m in MEASURED if m.name in run.measured}
    facts["chunks"] = str(run.n_chunks)
    style.facts(facts)
    left, right = st.columns([3, 1], vertical_alignment="top")
    with left:
        key = f"note_{run.id}"
        st.text_area("Note", run.note, key=key, max_chars=NOTE_MAX_CHARACTERS, height=80, on_change=save_note,
                     args=(run.id, key), placeholder="What did you hear?")  # fmt: skip
    with right:
        key = f"star_{run.id}"
        st.toggle("Star", run.star, key=key, on_change=save_star, args=(run.id, key))
        st.page_link("views/synthesize.py", label="Open", icon=":material/open_in_new:", query_params={"run": run.id})
        st.page_link("views/spectrograms.py", label="Spectrogram", icon=":material/equalizer:",
                     query_params={"run": run.id})  # fmt: skip
        if run.has_trajectory:
            st.page_link("views/flow.py", label="Flow", icon=":material/water:", query_params={"run": run.id})
    if run.is_long:
        return
    opened = st.expander("Stages", icon=":material/timeline:", on_change="rerun", key=f"stages_{run.id}")
    if opened.open:
        whole = load_run(run.id, trajectories=False)
        opened.plotly_chart(
            figures.gantt_with_utilisation(whole.spans, whole.utilisation, dark=is_dark()), theme=None,
            key="run_gantt", config=figures.CONFIG, alt="Stages of every chunk, and the use of the machine",
        )  # fmt: skip


def actions(runs: Sequence[RunSummary]) -> None:
    """Draw the actions for the ticked runs."""
    with st.container(horizontal=True):
        label = "Delete" if len(runs) == 1 else f"Delete {len(runs)} runs"
        if st.button(label, icon=":material/delete:", key="delete"):
            confirm([run.id for run in runs], sum(run.n_bytes for run in runs))
        if len(runs) == 1 and runs[0].is_long:
            st.caption(f"Its files: `workbench runs export {runs[0].id} --as zip`")
        elif len(runs) == 1:
            run_id = runs[0].id
            st.download_button(
                "Everything (zip)", lambda: exports.get("zip").make(load_run(run_id, trajectories=False)),
                file_name=f"f5tts-{run_id}.zip", mime="application/zip", on_click="ignore",
                icon=":material/folder_zip:", key="zip",
            )  # fmt: skip


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
    with st.expander(f"{len(broken)} damaged", icon=":material/broken_image:"):
        st.text("\n".join(reason for _, reason in broken))
        names = [run_id for run_id, _ in broken]
        chosen = st.multiselect("Delete only", names, key="broken_chosen", placeholder="all of them") or names
        if st.button("Delete them", key="delete_broken", icon=":material/delete:"):
            confirm(chosen, sum(folder_bytes(runs_root() / run_id) for run_id in chosen))


st.title("Runs")
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
        "Search", key="runs_query", live=True, placeholder="words, or nfe_step=7 wer<0.1 voice=Nora", max_chars=200,
        help="Words of text, note or voice, and comparisons with <, <=, >, >=, = and !=. Settings and measures have "
             "the names of the command line; wer is a fraction, wer<10% is the same as wer<0.1. Quote what has spaces: "
             "note=\"a click\".",
    )  # fmt: skip
    starred = only.toggle("Starred only", key="runs_starred")
    try:
        shown = [run for run in search.find(every, query) if run.star or not starred]
        rows = first_rows(shown)
        cut = f" The table shows the newest {TABLE_ROWS}; search to find older ones." if len(shown) > TABLE_ROWS else ""
        st.caption(f"{len(shown)} of {len(every)} runs. Tick one to open it, two or more to compare.{cut}")
        address.warn_of_missing({run.id for run in every})
        chosen = address.ordered(table(rows)) if rows else []
        address.write(chosen)
        plot = st.expander("Scatter", icon=":material/scatter_plot:", on_change="rerun", key="runs_scatter")
        if plot.open and shown:
            with plot:
                st.fragment(scatter.show)(shown)
        if chosen:
            actions(chosen)
        if len(chosen) == 1:
            one(chosen[0])
        elif chosen:
            compare_view.compare(chosen)
    except WorkbenchError as error:
        st.error(str(error))
else:
    style.empty("No run yet. Speech from the page <b>Synthesize</b> is saved and listed here.")
damaged(broken)
