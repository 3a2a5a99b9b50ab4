"""The table of chunks: one row each, in pages of ``ROWS``; below the row that is open, its takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine import measures
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.values import Takes
from workbench.engine.timing import COLD, REUSED
from workbench.ui import dock, static
from workbench.ui.fragments import fragment
from workbench.ui.parts.tables import swatch
from workbench.ui.runs import unfinished_view
from workbench.ui.takes import failed, state, work

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run

ROWS = 25
_FILTER_FROM = 8  # chunks from which it is worth to filter them
_CSS = static.sheet("takes.css")
_ALL, _FLAGGED, _RETAKEN = "All", "Flagged", "With takes"


@fragment
def table(run: Run) -> None:
    """Draw the chunks of ``run``: to play, to make again, and to choose among their takes.

    Works on a finished run on disk. Of one that is in memory only, or unfinished, the chunks can be played.
    """
    run = state.current(run)
    takes, flags = state.takes_of(run.id), state.flags_of(run)
    st.html(_CSS)
    if run.n_planned:
        unfinished_view.line(run)
    shown = _tools(run, takes, flags)
    opened = st.session_state.get(_key(run))
    for index in shown:
        _row(run, takes, index, flags.get(index, ""), is_open=index == opened)
        if index == opened and takes is not None:
            work.bench(run, takes, index)
    _sums(run)


def _key(run: Run) -> str:
    return f"takes_open_{run.id}"


def _toggle(key: str, index: int) -> None:
    st.session_state[key] = None if st.session_state.get(key) == index else index


# Above the rows ------------------------------------------------------------------------------------------------------


def _tools(run: Run, takes: Takes | None, flags: dict[int, str]) -> Sequence[int]:
    """Draw undo, redo, filter and pages; return the indices of the rows to draw."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="takes_tools"):
        st.header("Chunks and takes", width="content")
        if takes is not None:
            for name, icon, can, act in (("Undo", "undo", takes.can_undo, choosing.undo),
                                         ("Redo", "redo", takes.can_redo, choosing.redo)):  # fmt: skip
                help_text = f"{name} the last choice of a take. Takes themselves are never lost."
                if st.button(name, key=f"takes_{icon}", icon=f":material/{icon}:", disabled=not can, help=help_text):
                    state.change(run, partial(act, join=not run.is_long))
        found = _filtered(run, takes, flags)
        page = _paged(run, len(found))
    if takes is not None and run.failed:
        failed.button(run)
    return found[page * ROWS : (page + 1) * ROWS]


def _filtered(run: Run, takes: Takes | None, flags: dict[int, str]) -> Sequence[int]:
    every = range(len(run.chunks))
    groups = {_FLAGGED: sorted(flags), _RETAKEN: takes.chunks if takes is not None else []}
    if len(every) < _FILTER_FROM or not any(groups.values()):
        return every
    names = [_ALL, *(name for name, found in groups.items() if found)]
    counts = {_ALL: len(every)} | {name: len(found) for name, found in groups.items()}
    chosen = st.segmented_control(
        "Chunks", names, default=_ALL, key=f"takes_filter_{run.id}", label_visibility="collapsed",
        format_func=lambda name: f"{name} {counts[name]}", required=True,
    )  # fmt: skip
    return groups.get(chosen or _ALL, every)


def _paged(run: Run, n_rows: int) -> int:
    n_pages = max(-(-n_rows // ROWS), 1)
    if n_pages == 1:
        return 0
    page = st.number_input(
        f"Page of {n_pages:,}", 1, n_pages, key=f"takes_page_{run.id}", width=130,
        help=f"{ROWS} of {n_rows:,} chunks a page.",
    )  # fmt: skip
    return min(int(page), n_pages) - 1


# The rows ------------------------------------------------------------------------------------------------------------


def _row(run: Run, takes: Takes | None, index: int, flag: str, *, is_open: bool) -> None:
    count = takes.count(index) if takes is not None else 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"takes_row_{index}"):
        st.html(_cells(run, index, flag, count))
        if takes is not None:
            st.button(
                "Close" if is_open else f"{count} takes" if count > 1 else "Make again",
                key=f"takes_open_{index}", on_click=_toggle, args=(_key(run), index),
                icon=f":material/{'expand_less' if is_open else 'layers' if count > 1 else 'refresh'}:",
                help=f"Chunk {index + 1}: make it again, hear its takes, choose one", width=135,
            )  # fmt: skip


def _cells(run: Run, index: int, flag: str, count: int) -> str:
    """Return the row of a chunk as HTML: all numbers have their unit, so that each cell can be read by itself."""
    result = run.chunks[index]
    play = "<span></span>" if result.is_failed else dock.html_button(dock.of_chunk(run, index), is_small=True)
    words = escape(result.chunk.text)
    unfolded = f'<details class="wb-row-words"><summary title="Show all words">{words}</summary></details>'
    return (
        f'<div class="wb-row" role="group" aria-label="Chunk {index + 1}"><span>{swatch(index)}</span>{play}{unfolded}'
        f'<span class="wb-row-flags">{"".join(_badges(run, index, flag, count))}</span>{_numbers(result)}</div>'
    )


def _badges(run: Run, index: int, flag: str, count: int) -> list[str]:
    """What is special about a chunk: a warning of its plan, what is wrong with it, its take, the pauses beside it."""
    result = run.chunks[index]
    chunk, found = result.chunk, []
    if chunk.warnings:
        told = escape("; ".join(chunk.warnings), quote=True)
        found.append(f'<span class="wb-warn" title="{told}" role="img" aria-label="{told}">⚠</span>')
    if flag:
        about = escape(result.error or flag, quote=True)
        found.append(f'<span class="wb-badge is-bad" title="{about}">{escape(flag)}</span>')
    if count > 1:
        found.append(f'<span class="wb-badge">take {run.takes[index] if run.takes else 1} of {count}</span>')
    pauses = [f"{seconds:.2f} s before" for seconds in (chunk.lead_seconds,) if seconds]
    pauses += [f"{seconds:.2f} s after" for seconds in (chunk.pause_seconds,) if seconds]
    return found + ([f'<span class="wb-badge wb-dim">pause {", ".join(pauses)}</span>'] if pauses else [])


def _numbers(result: ChunkResult) -> str:
    def cell(value: str, about: str, css: str = "") -> str:
        return f'<span class="wb-number {css}" title="{about}">{value}</span>'

    planned = f"length of its sound; planned {result.chunk.planned_seconds:.2f} s"
    length, seed = cell(f"{result.audio_seconds:.2f} s", planned), cell(f"seed {result.seed}", "of its noise", "wb-dim")
    t = result.timing
    if result.is_failed:
        return length + cell("silence", "it could not be made", "wb-dim") + cell("", "") + seed
    if t.made == REUSED:
        return length + cell("reused", "unchanged: read from the chunks that are kept", "wb-dim") + cell("", "") + seed
    stages = f"made in: text {t.text_seconds:.3f} s, ODE {t.ode_seconds:.3f} s, vocoder {t.vocoder_seconds:.3f} s"
    is_cold = t.made in COLD
    stages += f" · {t.made}: may include compiling and planning" if is_cold else ""
    made = cell(f"{t.total_seconds:.2f} s{'*' if is_cold else ''}", stages)
    return length + made + cell(f"RTF {measures.get('rtf').shown(result.rtf)}", "real-time factor") + seed


def _sums(run: Run) -> None:
    made = len(run.chunks) - len(run.failed)
    of = run.n_planned or len(run.chunks)
    reused = f", {run.n_reused} reused" if run.n_reused else ""
    spent = sum(result.timing.total_seconds for result in run.chunks)
    is_cold = any(result.timing.made in COLD for result in run.chunks)
    star = "  \n\\* The first of its length since the model was loaded: this may take longer." if is_cold else ""
    st.caption(
        f"{made} of {of} chunks made{reused} · {run.audio_seconds:.2f} s of speech · made in {spent:.2f} s · "
        f"RTF {measures.get('rtf').shown(run.rtf)}{star}"
    )
