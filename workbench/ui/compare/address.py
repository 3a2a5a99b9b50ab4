"""Address of the chosen runs: ``?runs=ID,ID``, in the order in which they are compared. It opens them elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from workbench.engine.runs.store import RunSummary
from workbench.ui import document

LETTERS = "ABCDEF"
MAX_RUNS = len(LETTERS)
_SHOWN = 40  # characters of an id in a message


def wanted() -> list[str]:
    """Return the ids of the runs that the address names, in its order; else those of the session, ``run`` and ``b``.

    Links of earlier versions, ``?a=ID&b=ID``, are read too.
    """
    named = [run_id.strip() for run_id in st.query_params.get("runs", "").split(",")]
    if not any(named):
        first = "a" if "a" in st.query_params else "run"
        named = [st.query_params.get(name, "") for name in (first, *LETTERS.lower()[1:])]
    return list(dict.fromkeys(run_id for run_id in named if run_id))


def ordered(chosen: Sequence[RunSummary]) -> list[RunSummary]:
    """Return ``chosen`` in the order of the address; runs that it does not name come last."""
    order = {run_id: k for k, run_id in enumerate(wanted())}
    return sorted(chosen, key=lambda run: order.get(run.id, len(order)))


def write(chosen: Sequence[RunSummary]) -> None:
    """Put the chosen runs into the address, or remove them."""
    for letter in "acdef":  # of an earlier version; b is the session's
        st.query_params.pop(letter, None)
    named = ",".join(run.id for run in chosen)
    if named and st.query_params.get("runs") != named:
        st.query_params["runs"] = named
    elif not named:
        st.query_params.pop("runs", None)


def warn_of_missing(known: Collection[str]) -> None:
    """Say which runs of the address are not among ``known``, but for one that the line above the page names."""
    told = document.missing_id() if document.missing() else ""
    missing = [run_id for run_id in wanted() if run_id not in known and run_id != told]
    if missing:
        few = ", ".join(run_id[:_SHOWN] for run_id in missing[:MAX_RUNS])
        st.warning(f"No run {few}: it may have been deleted.", icon=":material/search_off:")
