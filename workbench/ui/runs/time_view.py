"""Where the time of a run went: its stages, each chunk on a time line, each chunk by its length, and the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.speech import costs
from workbench.figures.chunk_size import cost_fit
from workbench.ui import document, resources
from workbench.ui.parts import tables
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import run_tools, run_view

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run

CONTENT_ROWS = 10  # of a table that is drawn whole; one with more scrolls
MADE = {
    "made": st.column_config.TextColumn(
        help="first run: the first since the model was loaded. new length: the first of its length; both may take "
        "longer. warm: neither. reused: read from the chunks that are kept. failed: silence in its place."
    )
}
PAGE_CHUNKS = 40  # rows of the time line; more cannot be read


def show(run: Run) -> None:
    """Draw all that is known of the time of ``run``."""
    run_view.numbers(run)
    _stages(run)
    _timeline(run)
    _by_length(run)
    _table(run)
    with st.expander(f"Loading: {run.load_seconds:.1f} s, once per server; not part of this run"):
        run_view.bars(
            _loading(run.id, is_dark(), run), "run_loading", f"Stages of loading, {run.load_seconds:.1f} s in all"
        )
    st.header("Files")
    run_tools.downloads(run, only=("csv", "trace"))


def _stages(run: Run) -> None:
    """One bar a run: the current one, and the second one beside it."""
    runs = {"A": run}
    other = document.second()
    if other and (beside := document.read(other)) is not None:
        runs["B"] = beside
    totals = {letter: _times(found).stages for letter, found in runs.items()}
    st.header("Stages")
    run_view.bars(
        figures.stages_by_run(totals, dark=is_dark()), "run_stages",
        "Seconds of each stage" + (", one bar a run" if other else ""),
    )  # fmt: skip


def _times(run: Run) -> measures.Times:
    return resources.kept().get(
        ("times", run.id, run.created_at, run.total_seconds), lambda: measures.Times.of_run(run.as_dict())
    )


def _timeline(run: Run) -> None:
    st.header("Chunk by chunk")
    n = len(run.chunks)
    first = 0
    if n > PAGE_CHUNKS:
        pages = range(0, n, PAGE_CHUNKS)
        first = st.selectbox(
            "Chunks", pages, key=f"time_page_{run.id}", width=220,
            format_func=lambda at: f"{at + 1} to {min(at + PAGE_CHUNKS, n)} of {n}",
        )  # fmt: skip
    run_view.bars(
        _lines(run.id, run.total_seconds, first, is_dark(), run), "run_timeline",
        f"Stages of each chunk over {run.total_seconds:.1f} s, with processor and memory use",
    )  # fmt: skip


@st.cache_data(show_spinner=False, max_entries=12)
def _lines(run_id: str, total: float, first: int, dark: bool, _run: Run) -> figures.Figure:
    """The time line of ``PAGE_CHUNKS`` chunks, with the load of the machine at that time."""
    if len(_run.chunks) <= PAGE_CHUNKS:
        return figures.gantt_with_utilisation(_run.spans, _run.utilisation, dark=dark)
    shown = range(first, first + PAGE_CHUNKS)
    spans = [s for s in _run.spans if s.chunk_index in shown]
    low, high = min(s.start_seconds for s in spans), max(s.end_seconds for s in spans)
    return figures.gantt_with_utilisation(spans, [u for u in _run.utilisation if low <= u.seconds <= high], dark=dark)


@st.cache_data(show_spinner=False, max_entries=12)
def _loading(run_id: str, dark: bool, _run: Run) -> figures.Figure:
    return figures.load_bars(_run.spans, dark=dark)


def _by_length(run: Run) -> None:
    """Each chunk over its length, with what this run says of the cost: what lies above the line was slow."""
    points = _points(run.id, run.total_seconds, run)
    n_passes = costs.passes(run.settings)
    cost = costs.fit(points, n_passes)
    if cost is None:
        return
    st.header("Time over length")
    run_view.chart(
        cost_fit(points, cost, n_passes, dark=is_dark()), "run_by_length",
        f"Seconds of {len(points)} chunks over their mel frames, and the cost fitted to them",
    )  # fmt: skip


@st.cache_resource(show_spinner=False, max_entries=8)
def _points(run_id: str, total: float, _run: Run) -> list[costs.Point]:
    guided = 2 if _run.settings.cfg_strength >= 1e-5 else 1
    return [
        costs.Point(c.chunk.duration_frames, c.chunk.new_frames, c.timing.total_seconds,
                    c.timing.n_evaluations * guided, run_id)
        for c in _run.chunks if not c.is_reused
    ]  # fmt: skip


def _table(run: Run) -> None:
    st.header("Times of the chunks")
    st.dataframe(
        _rows(run.id, run.total_seconds, run), hide_index=True, column_config=tables.measure_columns() | MADE,
        height="content" if len(run.chunks) <= CONTENT_ROWS else 420, placeholder=tables.NO_VALUE,
        alt="Times of each chunk in seconds, one row a chunk",
    )  # fmt: skip


@st.cache_resource(show_spinner=False, max_entries=8)
def _rows(run_id: str, total: float, _run: Run) -> list[dict[str, Any]]:
    found = []
    for result in _run.chunks:
        times = measures.Times.of_chunk(result.as_dict())
        row = {m.title: m.value(times) for m in measures.known(measures.CHUNK, [times])}
        found.append({"chunk": result.chunk.index + 1, "audio (s)": round(result.audio_seconds, 3), **row,
                      "made": result.timing.made, "text": result.chunk.text})  # fmt: skip
    return found
