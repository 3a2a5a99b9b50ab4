"""Say what of the form has changed since the current run, and mark what no longer belongs to it."""

from __future__ import annotations

from html import escape

import streamlit as st

from workbench.engine.speech.requests import SpeechRequest
from workbench.ui import document

RESULT = "result"  # widget key of the container that holds what belongs to the run
SHOWN = 4
# Grey, not pale: text keeps its contrast.
_GREY = (
    f"<style>.st-key-{RESULT}{{filter:grayscale(1);border-left:3px dashed color-mix(in srgb,currentColor 45%,"
    "transparent);padding-left:.8rem}</style>"
)


def request_shown() -> SpeechRequest | None:
    """Return what the run on the page was made from: of a job, of a run; None without one."""
    job = document.job()
    if job is not None:
        return job.request
    run = document.run()
    return run.request if run else None


def note(changes: list[str]) -> None:
    """Draw what has changed since the current run, a button that goes back to it, and the mark on its result."""
    if not changes:
        return
    shown = "; ".join(changes[:SHOWN]) + (f"; {len(changes) - SHOWN} more" if len(changes) > SHOWN else "")
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="changed"):
        st.html(
            f'<div class="wb-state" role="status"><span class="wb-warn">Changed since this run:</span>'
            f"<span>{escape(shown)}</span></div>"
        )
        if st.button("Back to this run", key="adopt_again", icon=":material/undo:", type="tertiary",
                     help="Put the text, the voice and the settings of this run into the form."):  # fmt: skip
            document.adopt_again()
    st.html(_GREY)
