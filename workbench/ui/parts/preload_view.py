"""Show the loading of the first model."""

from __future__ import annotations

import streamlit as st

from workbench.ui import resources
from workbench.ui.fragments import fragment
from workbench.ui.runs.run_live import status_line

_GREEN, _BLUE, _RED = "#2a9d78", "#2f72c4", "#c0392b"


def preload_line() -> None:
    """Draw one line: what is being loaded, or what is in memory. Refreshed during loading."""
    state = resources.preload_state()
    fragment(run_every=1.0 if state.is_active else None)(_line)()


def _line() -> None:
    state = resources.preload_state()
    if state.is_active:
        status_line(f"{state.doing} · {state.seconds:.0f} s · you can type and plan meanwhile", _BLUE)
    elif state.error:
        status_line(f"The model could not be loaded: {state.error}", _RED)
        if st.button("Try again", key="preload_again"):
            state.doing, state.error, state.ended = "not started", "", 0.0
            resources.warm_in_background()
            st.rerun()
    elif state.is_ready:
        engine = resources.engine()
        loaded = engine.loaded
        status_line(
            f"{loaded.spec.title} · {loaded.device} · {loaded.dtype} · loaded once, in {engine.load_seconds:.1f} s · "
            f"{engine.n_runs} {'run' if engine.n_runs == 1 else 'runs'} since",
            _GREEN,
        )
    else:
        resources.warm_in_background()  # the app's server did not start it: a test, or a bare ``streamlit run``
        st.rerun()
    if state.is_active:
        st.session_state.waited_for_preload = True
    elif st.session_state.pop("waited_for_preload", False):
        st.rerun()  # the plan can now use the model's vocabulary
