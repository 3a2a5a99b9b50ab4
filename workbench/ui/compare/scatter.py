"""Any two numbers of the listed runs against each other; a click opens the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from workbench import figures
from workbench.engine.runs.finding import columns
from workbench.engine.runs.store import RunSummary
from workbench.figures import Figure
from workbench.ui import dock, resources, static
from workbench.ui.fragments import fragment
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sources
from workbench.ui.style import empty

_FIRST = ("rtf", "wer_percent")  # preferred axes; the best trade-off is at the bottom left
_GROUPS = ("voice", "model", "nfe_step", "sweep", "ode_method", "device", "dtype", "backend")
_OFFERED_MAX = 200  # runs at one place to choose from
_ahead = component("ahead", html="<span hidden></span>", js=static.text("ahead.js"))


@fragment
def show(runs: Sequence[RunSummary]) -> None:
    """Draw the part of the page with the figure. Opening it draws this part alone, not the table again."""
    place = st.expander("Scatter", icon=":material/scatter_plot:", on_change="rerun", key="runs_scatter")
    if not place.open and (chunk := _chart_chunk()):
        with st.container(key="hidden_ahead"):
            _ahead(key="ahead", data={"module": chunk})
    if place.open and runs:
        with place:
            _draw(runs)


@cache
def _chart_chunk() -> str:
    """Return the address of the part of Streamlit's front end that draws figures; "" if it is not where it was."""
    found = list((Path(st.__file__).parent / "static" / "static" / "js").glob("PlotlyChart.*.js"))
    return f"/static/js/{found[0].name}" if len(found) == 1 else ""


def _draw(runs: Sequence[RunSummary]) -> None:
    """Draw the choice of the axes, the figure, and the run behind the clicked point."""
    known = {one.name: one for one in columns.numeric(list(runs))}
    titles = {name: one.title for name, one in known.items()}
    names = list(known)
    x_place, y_place, by_place = st.columns(3)
    x = x_place.selectbox("To the right", names, _index(names, _FIRST[0], 0), key="scatter_x",
                          format_func=titles.__getitem__, persist_state="session")  # fmt: skip
    y = y_place.selectbox("Upwards", names, _index(names, _FIRST[1], min(1, len(names) - 1)), key="scatter_y",
                          format_func=titles.__getitem__, persist_state="session")  # fmt: skip
    by = by_place.selectbox("Colours", ["none", *_GROUPS], key="scatter_by", persist_state="session")
    group = columns.columns().get(by)
    points = [
        figures.Point(run.id, a, b, "unset" if (value := group.value(run)) is None else str(value))
        if group else figures.Point(run.id, a, b, "")
        for run in runs
        if (a := known[x].value(run)) is not None and (b := known[y].value(run)) is not None
    ]  # fmt: skip
    if not points:
        empty("None of these runs has both numbers. Measures are made on the page Synthesize, or by "
              "<code>workbench runs measure</code>.")  # fmt: skip
        return
    point = clicked(
        figures.scatter(points, titles[x], titles[y], dark=is_dark()), f"scatter_{x}_{y}_{by}",
        f"{titles[y]} against {titles[x]} of {len(points)} runs",
    )  # fmt: skip
    without = len(runs) - len(points)
    rest = f" {without} more have only one of the numbers." if without else ""
    st.caption(f"{len(points)} runs.{rest} Click a point to hear its run.")
    at = str(point["customdata"]) if point else ""
    heap = next((ids for heap in figures.heaps(points) if at in (ids := [one.id for one in heap])), [])
    if heap:
        _hear([at, *(other for other in heap if other != at)], {run.id: run for run in runs})


def _hear(ids: Sequence[str], runs: Mapping[str, RunSummary]) -> None:
    """Draw what plays and opens the run of a point, ``ids[0]``; where several lie there, the choice among them."""
    chosen = ids[0]
    if len(ids) > 1:
        more = f", the first {_OFFERED_MAX} of them" if len(ids) > _OFFERED_MAX else ""
        chosen = st.selectbox(f"{len(ids)} runs at this point{more}", ids[:_OFFERED_MAX], key=f"scatter_at_{ids[0]}",
                              format_func=lambda run_id: sources.run_label(runs[run_id]))  # fmt: skip
    else:
        st.text(sources.run_label(runs[chosen]))
    dock.button(dock.of_run(resources.saved_run(chosen)), key="play_point")
    st.page_link("views/synthesize.py", label="Synthesize", icon=":material/graphic_eq:", query_params={"run": chosen})


def clicked(figure: Figure, key: str, alt: str) -> dict[str, Any] | None:
    """Draw ``figure``, the points of which can be clicked; return the clicked point, as Plotly describes it.

    It stays while the figure is drawn again with more points, until another click, or one beside the points.
    """
    kept = f"{key}_point"

    def take() -> None:
        points = st.session_state[key].selection.points
        st.session_state[kept] = dict(points[0]) if points else None

    st.plotly_chart(
        figure, key=key, theme=None, config=figures.CONFIG, on_select=take, selection_mode="points", alt=alt
    )
    found: dict[str, Any] | None = st.session_state.get(kept)
    return found


def _index(names: Sequence[str], wanted: str, otherwise: int) -> int:
    return list(names).index(wanted) if wanted in names else otherwise
