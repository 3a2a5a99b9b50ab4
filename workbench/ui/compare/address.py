"""Address of a comparison: ``?a=ID&b=ID`` and so on, one letter a run. It opens the same comparison elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from workbench.engine.runs.store import RunSummary

LETTERS = "ABCDEF"
MAX_RUNS = len(LETTERS)


def wanted() -> list[str]:
    """Return the ids of the runs that the address names, in the order of its letters; ``run`` is A of the session."""
    first = "a" if "a" in st.query_params else "run"
    named = [st.query_params[name] for name in (first, *LETTERS.lower()[1:]) if name in st.query_params]
    return list(dict.fromkeys(named))


def ordered(chosen: Sequence[RunSummary]) -> list[RunSummary]:
    """Return ``chosen`` in the order of the address; runs that it does not name come last."""
    order = {run_id: k for k, run_id in enumerate(wanted())}
    return sorted(chosen, key=lambda run: order.get(run.id, len(order)))


def write(chosen: Sequence[RunSummary]) -> None:
    """Put the compared runs into the address; remove them if fewer than two are chosen."""
    named = {letter: run.id for letter, run in zip(LETTERS.lower(), chosen, strict=False)} if len(chosen) > 1 else {}
    for letter in LETTERS.lower():
        if letter in named and st.query_params.get(letter) != named[letter]:
            st.query_params[letter] = named[letter]
        elif letter not in named and letter in st.query_params:
            del st.query_params[letter]
    if named and "run" in st.query_params:
        del st.query_params["run"]


def warn_of_missing(known: Collection[str]) -> None:
    """Say which runs of the address are not among ``known``."""
    missing = [run_id for run_id in wanted() if run_id not in known]
    if missing:
        few = ", ".join(run_id[:40] for run_id in missing)
        st.warning(f"No run {few}: it may have been deleted.", icon=":material/search_off:")
