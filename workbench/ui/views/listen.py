"""Page: judge speech by ear without knowing what it is. ``?test=NAME`` votes, ``&show=results`` shows the results."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.listening import records
from workbench.engine.listening.records import ListeningTest
from workbench.ui import style
from workbench.ui.listening import form, live, vote
from workbench.ui.runs import run_view


def manage() -> None:
    """Draw the tests and the form that makes another one."""
    tests, problems = records.list_tests()
    if said := st.session_state.pop("listen_said", ""):
        st.success(said)
    for test in tests:
        one(test)
    if problems:
        with st.expander(f"{len(problems)} damaged", icon=":material/broken_image:"):
            st.text("\n".join(problems))
    st.header("New test")
    form.show()


def one(test: ListeningTest) -> None:
    """Draw a test: what it compares, its address, and what can be done with it."""
    with st.container(border=True):
        head, buttons = st.columns([3, 2], vertical_alignment="center")
        head.markdown(f"**{style.plain(test.name)}** · {form.TITLES[test.kind]} · {test.n_trials} trials")
        with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            st.page_link("views/listen.py", label="Listen", icon=":material/headphones:",
                         query_params={"test": test.name})  # fmt: skip
            st.page_link("views/listen.py", label="Results", icon=":material/bar_chart:",
                         query_params={"test": test.name, "show": "results"})  # fmt: skip
            if st.button("", key=f"drop_{test.name}", icon=":material/delete:", help="Delete", type="tertiary"):
                confirm(test)
        st.text(records.texts_in_short(test.texts))


@st.dialog("Delete permanently?")
def confirm(test: ListeningTest) -> None:
    """Ask before a test is deleted with its answers."""
    st.text(f"The test {test.name}, its sounds and all answers. The runs stay.")
    if st.button("Delete", type="primary", icon=":material/delete:", key="drop_now", width="stretch"):
        try:
            records.delete_test(test.name)
        except WorkbenchError as error:
            st.error(str(error))
            return
        st.rerun()


def shown(name: str) -> None:
    """Draw the test that the address names: its trials, or its results."""
    test = records.open_test(name)
    if st.query_params.get("show") != "results":
        vote.head(test)
        vote.show(test)
        return
    st.page_link("views/listen.py", label="All tests", icon=":material/arrow_back:")
    st.header(test.name)
    if base := run_view.origin():
        st.caption("Address for listeners:")
        st.code(f"{base}/listen?test={quote(test.name)}", language=None)
    live.show(test)


st.title("Listen")
wanted = st.query_params.get("test")
try:
    if wanted:
        shown(wanted)
    else:
        st.caption("Blind listening: names are hidden, sides and order are balanced by a seed, levels are matched.")
        manage()
except WorkbenchError as error:
    st.error(str(error))
