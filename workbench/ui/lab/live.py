"""The job of a lab measurement, and a live view of its cells."""

from __future__ import annotations

import logging
import time
from typing import Any

import streamlit as st

from workbench import figures
from workbench.engine.errors import LabError
from workbench.engine.jobs.queue import QUEUED, Job
from workbench.figures.lab import stage_title, stages_of
from workbench.lab import kept, measuring
from workbench.ui import style
from workbench.ui.fragments import fragment
from workbench.ui.lab import view
from workbench.ui.parts.theme import is_dark
from workbench.ui.resources import job_manager

log = logging.getLogger("workbench.lab")
LANE = "auto"  # the lane of synthesis, so that nothing else runs on the device meanwhile
POLL_SECONDS = 1.0
SHOWN = 4


class LabJob(Job):
    """A lab measurement in the queue. ``lab`` holds its progress. Its processes end with the job or the server."""

    def __init__(self, plan: measuring.LabPlan) -> None:
        super().__init__("Loading lab", LANE)
        self.plan, self.lab = plan, measuring.LabState()

    def work(self) -> dict[str, Any]:
        """Measure every cell; return the document, which is kept on disk if it can be."""
        document = measuring.run(self.plan, state=self.lab, check=self.check)
        try:
            kept.save(self.id, document)
        except LabError as error:  # it is still shown, and can be downloaded
            log.warning("%s", error)
        return document


def live(job: LabJob) -> None:
    """Show progress and figures while the cells are measured."""
    active = job.is_active

    @fragment(run_every=POLL_SECONDS if active else None)
    def panel() -> None:
        if not job.is_active:
            if active:
                st.rerun()
            return
        state, n_cells = job.lab, len(job.plan.cells)
        current, finished = state.current, len(state.cells)
        where = f"{view.cell_title(current)}: " if current else ""
        doing = stage_title(state.doing)
        ahead = job_manager().ahead(job)
        text = f"waiting, {ahead} before it" if job.state == QUEUED else f"{finished} of {n_cells} done. {where}{doing}"
        one, two = st.columns([6, 1], vertical_alignment="center")
        one.progress(finished / n_cells, text="stopping" if job.is_stopping else text)
        if two.button("Cancel", key="lab_cancel", disabled=job.is_stopping, width="stretch"):
            job.cancel()
        cells = [c for c in state.cells if c["state"] == "finished"][-SHOWN:]
        spans = _so_far(state)
        if current and spans:
            cells.append(current | {"spans": spans})
        if cells:
            named = [c | {"network": _short(c)} for c in cells]
            style.legend(stages_of(cells))
            st.plotly_chart(figures.lab_timeline(named, end_seconds(cells), dark=is_dark()), theme=None, key="lab_live",
                            config=figures.CONFIG, alt="The cells so far")  # fmt: skip

    panel()


def _so_far(state: measuring.LabState) -> list[dict[str, Any]]:
    """Finished spans of the current cell, and the elapsed part of the unfinished one."""
    spans, began = list(state.spans), state.open
    if began is not None:
        name, start, told = began
        spans.append({"name": name, "start_seconds": start, "seconds": time.monotonic() - told})
    return spans


def _short(cell: dict[str, Any]) -> str:
    strategy = cell["strategy"].replace("load-once-", "once, ").replace("reload-", "re-")
    return f"{strategy}<br>{view.network_title(cell['network'])}"


def end_seconds(cells: list[dict[str, Any]]) -> float:
    """Seconds at which the last span of ``cells`` ends."""
    return max(float(s["start_seconds"] + s["seconds"]) for c in cells for s in c["spans"])
