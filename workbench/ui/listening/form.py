"""Make a listening test: choose runs, what is compared, and how listeners answer."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.listening import design, grouping, records
from workbench.engine.listening.grouping import Layout
from workbench.engine.runs.finding import query
from workbench.engine.runs.store import RunSummary, list_runs
from workbench.ui import style
from workbench.ui.runs import sources

TITLES = {
    design.PREFERENCE: "Preference", design.ABX: "ABX", design.SCORE: "Score, 1 to 5",
}  # fmt: skip
_ABOUT = {
    design.PREFERENCE: "Two sounds of one text: which is better, or no difference.",
    design.ABX: "A, B, and X, which is one of them: which? Shows whether a difference can be heard at all.",
    design.SCORE: "One sound at a time, from 1 (bad) to 5 (excellent).",
}
_PICKED_MAX = 200  # runs in the box
_BY_RUN = "each run"


def show() -> None:
    """Draw the form and the button that makes the test."""
    runs = _choose_runs()
    if runs is None:
        return
    try:
        options = grouping.choices(runs)
    except WorkbenchError as error:
        st.error(str(error))
        return
    if not options:
        style.empty("Choose two or more runs, of the same text or with a setting that differs.")
        return
    by_place, kind_place = st.columns([2, 3])
    by = by_place.selectbox("Compare by", options, key="listen_by",
                            format_func=lambda name: _BY_RUN if name == grouping.RUN else name)  # fmt: skip
    kind = kind_place.segmented_control("Answers", list(TITLES), default=design.PREFERENCE, required=True,
                                        format_func=TITLES.__getitem__, key="listen_kind")  # fmt: skip
    kind = str(kind)
    st.caption(_ABOUT[kind])
    name_place, repeats_place, seed_place = st.columns([3, 1, 1])
    name = name_place.text_input("Name", "My test", max_chars=80, key="listen_name",
                                 help="Listeners see it.").strip()  # fmt: skip
    repeats = int(repeats_place.number_input("Repeats", 1, records.REPEATS_MAX, 1, key="listen_repeats",
                                             help="How often each listener hears each comparison."))  # fmt: skip
    if "listen_seed" not in st.session_state:
        st.session_state.listen_seed = secrets.randbelow(10_000)
    seed = int(seed_place.number_input("Seed", 0, 2**31 - 1, key="listen_seed", help="Of the orders and sides."))
    question = st.text_input("Question to the listeners", key="listen_question", placeholder="the usual one",
                             max_chars=records.QUESTION_MAX_CHARACTERS)  # fmt: skip
    try:
        layout = grouping.group(runs, by)
    except WorkbenchError as error:
        st.error(str(error))
        return
    _said(layout, kind, repeats)
    if st.button("Make the test", type="primary", key="listen_make", icon=":material/add:"):
        try:
            with st.spinner("Matching the levels"):
                made = records.make_test(name, kind, layout, question=question, repeats=repeats, seed=seed)
        except WorkbenchError as error:
            st.error(str(error))
            return
        st.session_state.listen_said = f"The test {made.name} is ready. {made.levels}"
        st.rerun()


def _choose_runs() -> Sequence[RunSummary] | None:
    """Draw the search and the box of runs; return the chosen ones, or None if there is nothing to choose from."""
    every = list_runs()
    if len(every) < 2:
        style.empty("Two runs are needed. Make them on the page <b>Synthesize</b> or <b>Sweep</b>.",
                    synthesize="Synthesize", sweep="Sweep")  # fmt: skip
        return None
    asked = st.text_input("Find runs", key="listen_query", placeholder="words, or sweep=\"My sweep\" nfe_step<=16",
                          help="As on the page Runs. All runs that are found take part, unless you choose some.",
                          max_chars=200)  # fmt: skip
    try:
        found = query.find(every, asked)
    except WorkbenchError as error:
        st.error(str(error))
        return None
    labels = {run.id: sources.run_label(run) for run in found[:_PICKED_MAX]}
    hint = f"all {len(found)} that were found" if asked.strip() else "choose two or more, or find them above"
    picked = st.multiselect("Runs", list(labels), key="listen_runs", format_func=lambda i: labels.get(i, i),
                            placeholder=hint)  # fmt: skip
    if picked:
        return [run for run in found if run.id in picked]
    return found if asked.strip() else []


def _said(layout: Layout, kind: str, repeats: int) -> None:
    texts = "1 text" if len(layout.items) == 1 else f"{len(layout.items)} texts or seeds"
    count = records.n_trials(kind, len(layout.systems), len(layout.items), repeats)
    each = "1 trial" if count == 1 else f"{count} trials"
    rest = f" {layout.n_left_out} runs without a counterpart are left out." if layout.n_left_out > 0 else ""
    names = style.plain(", ".join(layout.systems))
    st.caption(f"{len(layout.systems)} systems ({names}), {texts}: {each} a listener.{rest}")
    if kind == design.ABX and count < 5:
        st.caption("Fewer than 5 answers cannot tell hearing from guessing: choose more repeats, or many listeners.")
