"""The table of runs: one row a run, with a button that plays it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.writing import human_bytes
from workbench.engine.runs.store import RunSummary
from workbench.engine.runs.summary import MEASURED
from workbench.ui import dock, resources
from workbench.ui.compare import address
from workbench.ui.parts import tables

TABLE_ROWS = 500  # the whole table goes to the browser, and a row with its waveform has 1 KB
_PLAY = "runs_play"
_ROW_PIXELS, _ROWS_SEEN = 31, 16  # of a table of Streamlit; more rows scroll


def show(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the table of ``runs``; return the ticked ones in the order of the address."""
    runs = first_rows(runs)
    wanted = address.wanted()
    ticked = [k for k, run in enumerate(runs) if run.id in wanted]
    event = st.dataframe(
        _rows(runs), hide_index=True, column_config=_columns(), on_select="rerun", selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked}}, height=_height(len(runs)), placeholder=tables.NO_VALUE,
        key=f"runs_{len(runs)}_{runs[0].id}_{runs[-1].id}", alt="All runs; tick one to open it, two or more to compare",
    )  # fmt: skip
    _play(runs)
    return address.ordered([runs[k] for k in event["selection"]["rows"] if k < len(runs)])


def first_rows(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Return the first ``TABLE_ROWS`` of ``runs``, and those in the address that come later."""
    wanted = address.wanted()
    return [*runs[:TABLE_ROWS], *(run for run in runs[TABLE_ROWS:] if run.id in wanted)]


def _height(n_rows: int) -> Literal["content"] | int:
    """Height of a table that shows all of its rows if they are few, and else cuts the last one, as a sign of more."""
    return "content" if n_rows <= _ROWS_SEEN else round(_ROW_PIXELS * (_ROWS_SEEN + 1.5))


def _play(runs: Sequence[RunSummary]) -> None:
    """Play the run whose button was pressed."""
    pressed = st.session_state.get(_PLAY)
    row = None if pressed is None else pressed["row"]
    if row is None or not 0 <= row < len(runs):
        return
    try:
        dock.play(dock.of_run(resources.saved_run(runs[row].id)))
    except WorkbenchError as error:
        st.error(str(error))


def _rows(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    measured = measures.known(measures.RUN, [run.times for run in runs])
    kept = [m for m in MEASURED if any(m.name in run.measured for run in runs)]
    has_reused = any(run.n_reused for run in runs)
    return [
        {
            "★": "★" if run.star else "",
            "play": ":material/play_arrow:",
            "made (UTC)": run.created_at[:19].replace("T", " "),
            "text": run.text,
            "shape": list(run.envelope),
            "audio (s)": run.seconds,
            "total (s)": run.total_seconds,
            **{m.title: m.value(run.times) for m in measured},
            **{m.title: run.measured.get(m.name) for m in kept},
            "chunks": run.n_chunks,
            **({"reused": run.reused} if has_reused else {}),
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


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "★": st.column_config.TextColumn(width=30),
        "play": st.column_config.ButtonColumn(width=50, type="tertiary", key=_PLAY, help="Play in the bar below"),
        "text": st.column_config.TextColumn(width=320, help="Double-click to read all of it"),
        "shape": st.column_config.AreaChartColumn(width=110, y_min=0, help="Peaks of the waveform"),
        "audio (s)": number(format="%.2f"),
        "total (s)": number(format="%.2f", help="Processing time without loading"),
        "NFE": number(help="ODE steps (nfe_step)"),
        "reused": st.column_config.TextColumn(
            help="Chunks read from the store of earlier runs. If all were, nothing was made and there is no RTF"
        ),
    } | tables.measure_columns()
