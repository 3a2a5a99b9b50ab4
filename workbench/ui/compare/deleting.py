"""Delete runs: a question that names what they say, and an hour in which it can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.writing import human_bytes
from workbench.engine.runs.store import (
    RunSummary,
    delete_run,
    folder_bytes,
    is_link,
    put_back,
    remove_aside,
    runs_root,
    set_aside,
)
from workbench.ui import dock

_ASIDE = "runs_aside"
_NAMED = 8  # runs whose text is shown
_MANY = 5  # more than these need a tick besides the button


@st.dialog("Delete?")
def confirm(runs: Sequence[RunSummary]) -> None:
    """Draw what will be deleted, with a button that does it and one that does not."""
    st.write(f"{_count(len(runs))}, {human_bytes(sum(run.n_bytes for run in runs))}:")
    st.text("\n".join(f"{run.id} · {run.seconds:.1f} s · {dock.shortened(run.text)}" for run in runs[:_NAMED]))
    if len(runs) > _NAMED:
        st.caption(f"and {len(runs) - _NAMED} more")
    n_noted = sum(bool(run.star or run.note) for run in runs)
    if n_noted:
        st.caption(f"{n_noted} with a star or a note.")
    n_links = sum(run.is_link for run in runs)
    if n_links:
        st.caption(f"{n_links} of these are links: only the link is deleted, not the folder it points to.")
    sure = len(runs) <= _MANY or st.checkbox(f"Yes, all {len(runs)}", key="delete_all")
    if _pressed(sure):
        _set_aside([run.id for run in runs])
        st.rerun()


@st.dialog("Delete permanently?")
def confirm_damaged(run_ids: Sequence[str]) -> None:
    """Ask before damaged folders are deleted, which cannot be undone."""
    n_bytes = sum(folder_bytes(runs_root() / run_id) for run_id in run_ids)
    st.write(f"{_count(len(run_ids))}, {human_bytes(n_bytes)}:")
    st.text("\n".join(run_ids))
    n_links = sum(is_link(run_id) for run_id in run_ids)
    if n_links:
        st.caption(f"{n_links} of these are links: only the link is deleted, not the folder it points to.")
    if not _pressed(True):
        return
    freed, problems = 0, []
    for run_id in run_ids:
        try:
            freed += delete_run(run_id)
        except WorkbenchError as error:
            problems.append(str(error))
    if len(problems) < len(run_ids):
        st.session_state["runs_said"] = f"Deleted; this freed {human_bytes(freed)}."
    if problems:
        st.session_state["runs_error"] = " ".join(problems)
    st.rerun()


def _pressed(enabled: bool) -> bool:
    """Draw Cancel and Delete; return whether Delete was pressed."""
    cancel, delete = st.columns(2)
    if cancel.button("Cancel", key="delete_not", width="stretch"):
        st.rerun()
    return delete.button("Delete", type="primary", icon=":material/delete:", key="delete_now", width="stretch",
                         disabled=not enabled)  # fmt: skip


def _count(n_runs: int) -> str:
    return "1 run" if n_runs == 1 else f"{n_runs} runs"


def _set_aside(run_ids: Sequence[str]) -> None:
    """Delete the runs so that it can be undone, also if some cannot be deleted; keep a message for the page."""
    aside, problems = [], []
    for run_id in run_ids:
        try:
            aside.append(set_aside(run_id))
        except WorkbenchError as error:
            problems.append(str(error))
    st.query_params.pop("runs", None)
    if aside:
        st.session_state[_ASIDE] = aside
    if problems:
        st.session_state["runs_error"] = " ".join(problems)


def said() -> None:
    """Say what was deleted last in this session, with buttons that undo it or free the space at once."""
    aside: list[Path] = [path for path in st.session_state.get(_ASIDE, []) if path.exists() or path.is_symlink()]
    if not aside:
        st.session_state.pop(_ASIDE, None)
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="runs_deleted"):
        n_bytes = sum(0 if path.is_symlink() else folder_bytes(path) for path in aside)
        st.markdown(f"Deleted {_count(len(aside))}. {human_bytes(n_bytes)} are freed within the hour.")
        try:
            if st.button("Undo", key="delete_undo", icon=":material/undo:"):
                for path in st.session_state.pop(_ASIDE):
                    put_back(path)
                st.rerun()
            if st.button("Free now", key="delete_free", icon=":material/delete_forever:"):
                freed = sum(remove_aside(path) for path in st.session_state.pop(_ASIDE))
                st.session_state["runs_said"] = f"Deleted; this freed {human_bytes(freed)}."
                st.rerun()
        except WorkbenchError as error:
            st.error(str(error))
