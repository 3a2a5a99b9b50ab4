"""Results of a sweep, during and after it: progress, figures, table, and the sound of a point."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.alone import is_running
from workbench.engine.runs.store import list_runs
from workbench.engine.sweeps import Sweep, tables
from workbench.engine.sweeps.job import SweepJob
from workbench.figures import sweeps as drawings
from workbench.figures.theme import stage_colour
from workbench.ui import dock, resources
from workbench.ui.compare import scatter
from workbench.ui.fragments import fragment
from workbench.ui.parts.tables import measured
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sweep_form
from workbench.ui.runs.run_live import status_line
from workbench.ui.runs.sweep_form import jobs
from workbench.ui.style import empty

POLL_SECONDS = 1.0


def show(sweep: Sweep) -> None:
    """Draw the sweep, and refresh it while it runs."""
    active = any(job.is_active for job in jobs(sweep.grid.name)) or is_running(sweep.folder)
    fragment(run_every=POLL_SECONDS if active else None)(_show)(sweep, active)


def _show(sweep: Sweep, was_active: bool) -> None:
    job = next(iter(jobs(sweep.grid.name)), None)
    rows = sweep.rows()
    _progress(sweep, job, len([row for row in rows if not row["error"]]))
    if was_active and not (job and job.is_active) and not is_running(sweep.folder):
        st.rerun()  # draw the whole page once more, without refreshing
    for error in dict.fromkeys(row["error"] for row in rows if row["error"]):
        st.error(error)
    done = [row for row in rows if not row["error"]]
    if not done:
        empty("No trial is finished yet.")
        return
    _figures(done, list(sweep.grid.axes), sweep.grid.name)
    _table(rows, sweep)


def _progress(sweep: Sweep, job: SweepJob | None, n_done: int) -> None:
    """Draw the progress, and a button to stop or continue the sweep."""
    n_trials, here = len(sweep.trials), job is not None and job.is_active
    elsewhere = not here and is_running(sweep.folder)
    line, button = st.columns([5, 1], vertical_alignment="center")
    with line:
        doing = f" · {job.doing}" if job and here else " · another process runs it" if elsewhere else ""
        status_line(f"{n_done} of {n_trials} trials done{doing}", stage_colour("ode" if here or elsewhere else "text"))
        st.progress(n_done / max(n_trials, 1))
    if job is not None and here:
        if button.button("Stop", key="sweep_stop", width="stretch", help="Finished trials are saved."):
            job.cancel()
    elif n_done < n_trials and button.button("Continue", key="sweep_on", width="stretch", disabled=elsewhere):
        try:
            resources.job_manager().submit(SweepJob(sweep))
            st.rerun()
        except WorkbenchError as error:
            st.error(str(error))
    if job is not None and job.error:
        st.error(job.error)


def _figures(rows: list[dict[str, Any]], axes: list[str], name: str) -> None:
    """Draw a measure over the axes, and one measure against another."""
    known = [m for m in measures.of_every_cost() if m.name in rows[0] and any(row[m.name] is not None for row in rows)]
    titles = {m.name: m.title for m in known}
    varied = [a for a in axes if len({str(row[a]) for row in rows}) > 1 and a != "seed"]
    about = "Median over repeats and seeds, with its quartiles."
    by: str = st.selectbox("Measure", list(titles), format_func=titles.__getitem__, key=f"by_{name}",
                           persist_state="session", help=about)  # fmt: skip
    names: list[str] = ["One axis", *(["Two axes"] if len(varied) > 1 else []), "All axes", "Quality against time"]
    how = st.segmented_control("Figure", names, default=names[0], key=f"figure_{name}", persist_state="session")
    common: dict[str, Any] = {"theme": None, "config": figures.CONFIG}
    dark = is_dark()
    if how == "Two axes" and len(varied) > 1:
        x, y = st.columns(2)
        right = x.selectbox("To the right", varied, 0, key=f"x_{name}")
        up = y.selectbox("Upwards", [a for a in varied if a != right], 0, key=f"y_{name}")
        st.plotly_chart(drawings.heat_map(rows, right, up, by, dark=dark), key=f"heat_{name}", **common,
                        alt=f"Median {titles[by]} over {right} and {up}")  # fmt: skip
    elif how == "All axes":
        shown = drawings.parallel(rows, axes, [by], by, dark=dark)
        st.plotly_chart(shown, key=f"all_{name}", **common, alt=f"Every trial as a line over its axes and {titles[by]}")
    elif how == "Quality against time":
        _trade_off(rows, axes, list(titles), titles, by, name)
    else:
        shown = drawings.over_axes(rows, axes, by, dark=dark)
        st.plotly_chart(shown, key=f"line_{name}", **common, alt=f"Median {titles[by]} over an axis of the grid")


def _trade_off(
    rows: list[dict[str, Any]], axes: list[str], known: list[str], titles: dict[str, str], by: str, name: str
) -> None:
    """Draw two measures against each other; a click plays the run behind a point."""
    others = [m for m in known if m != by]
    if not others:
        empty("This figure needs two measures. Choose more under Measures above.")
        return
    first = others.index("rtf") if "rtf" in others else 0
    against: str = st.selectbox("Against", others, first, format_func=titles.__getitem__, key=f"against_{name}")
    fig = drawings.trade_off(rows, against, by, axes, dark=is_dark())
    point = scatter.clicked(fig, f"trade_{name}", f"{titles[by]} against {titles[against]}, a point a trial")
    runs = {run.id for run in list_runs()}
    if point is None:
        st.caption("Click a point to hear it.")
        return
    run_id = str(point["customdata"])
    if run_id in runs:
        dock.button(dock.of_run(resources.saved_run(run_id)), key=f"play_point_{name}")
        st.caption(f"{point.get('text', '')} · [{run_id}](runs?run={run_id})")
    else:
        st.caption(f"The run {run_id} was deleted.")


def told(row: dict[str, Any], axes: list[str], repeats: int) -> dict[str, Any]:
    """Return a row of a sweep as it is shown: headings in words, what varies first, then measures and the run."""
    cells = {sweep_form.title(axis): row[axis] for axis in axes}
    if repeats > 1:
        cells["repeat"] = row["repeat"] + 1
    if row["error"]:
        cells["error"] = row["error"]
    cells |= {m.title: row[m.name] for m in measures.of_every_cost() if m.name in row}
    return cells | {"finished (UTC)": row["finished_at"][:19].replace("T", " "), "run": row["run"]}


def _table(rows: list[dict[str, Any]], sweep: Sweep) -> None:
    """Draw what varies and what was measured in each trial, and the files with all columns for other tools."""
    axes, repeats = list(sweep.grid.axes), sweep.grid.repeats
    measured([told(row, axes, repeats) for row in rows], f"Trials of {sweep.grid.name}")
    st.caption("The files have every setting, and the worker of each trial.")
    left, right, _ = st.columns([1, 1, 3])
    left.download_button("CSV", tables.as_csv(rows), f"{sweep.grid.name}.csv", "text/csv", width="stretch",
                         on_click="ignore")  # fmt: skip
    right.download_button("Parquet", tables.as_parquet(rows), f"{sweep.grid.name}.parquet", width="stretch",
                          on_click="ignore")  # fmt: skip
