"""What the table shows: the run with the takes that are chosen now, its takes, and what was measured of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.runs.measured.files import NAME, flagged, read_measured
from workbench.engine.runs.store import run_folder, version_of
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.values import Take, Takes
from workbench.ui import document, resources
from workbench.ui.dock.sounds import Sound, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.engine.speech.results import Run


def current(run: Run) -> Run:
    """Return ``run`` with the takes that are chosen now: it may have been read, or made, before the last choice.

    A run that is not on disk has no other takes; it is returned as it is.
    """
    takes = takes_of(run.id)
    if takes is None or tuple(takes.ledger.number(k) for k in range(len(run.chunks))) == _numbers(run):
        return run
    try:
        return resources.saved_run(run.id)
    except WorkbenchError:
        return run


def _numbers(run: Run) -> tuple[int, ...]:
    return run.takes or (1,) * len(run.chunks)


def takes_of(run_id: str) -> Takes | None:
    """Return the takes of a run, read once while they do not change; None if it is not saved or not finished."""
    try:
        key = ("takes", run_id, version_of(run_folder(run_id)))
        return resources.kept().get(key, lambda: choosing.takes_of(run_id), versions_of=2)
    except RunError:
        return None


def flags_of(run: Run) -> dict[int, str]:
    """Return index to what is wrong with a chunk, in words: it failed, or a recogniser heard other words."""
    found = dict.fromkeys(run.failed, "failed")
    try:
        folder = run_folder(run.id)
        stamp = (folder / NAME).stat().st_mtime_ns
    except (RunError, OSError):  # not saved, or never measured
        return found

    def read() -> dict[int, str]:
        measured = read_measured(folder)
        return flagged(measured) if measured else {}

    return resources.kept().get(("flags", run.id, run.version, stamp), read, versions_of=2) | found


def sound_of(run: Run, take: Take) -> Sound:
    """Return a take for the player, at the place of its chunk in ``run``."""
    index = take.chunk.index
    return Sound(
        f"run:{run.id}:{index}:take:{take.number}",
        f"Chunk {index + 1}, take {take.number}: {shortened(take.chunk.text)}",
        (f"/api/runs/{run.id}/{index}/takes/{take.number}.wav?v={take.seed}-{take.made_at}",),
        (take.audio_seconds,),
        timeline=f"run:{run.id}",
        starts_at=run.starts[index] / run.sample_rate,
        first=index,
    )


def change(run: Run, act: Callable[[str], Takes]) -> None:
    """Change the choice of takes and draw the page again; a form that holds the run's text follows it.

    Args:
        run: as it is before.
        act: ``choosing.undo`` or another change, called with the id.
    """
    follows = document.current() == run.id and not document.is_changed(run)
    try:
        act(run.id)
    except WorkbenchError as error:
        st.error(str(error))
        return
    if follows and current(run).text != run.text:
        document.adopt_again()
    st.rerun()


def choose(run: Run, wanted: Mapping[int, int]) -> None:
    """Let ``run`` sound with other takes, index of a chunk to number, and draw the page again.

    audio.wav of a long run is joined when it is asked for: to write hours of sound takes longer than a click may.
    """
    change(run, lambda run_id: choosing.choose(run_id, wanted, join=not run.is_long))
