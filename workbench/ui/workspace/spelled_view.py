"""Copy the current run or the form as link, command and Python program."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.runs.exports.readme import changed_chunks
from workbench.engine.speech import spelled
from workbench.engine.speech.recordings.library import same_name
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.engine.speech.results import Run
from workbench.ui import document, resources
from workbench.ui.runs.run_view import origin

TEXT_FILE = "text.txt"
LONG_CHARACTERS = 2_000  # a longer text comes from a file


def popover(form: SpeechRequest | None, run: Run | None, changed: bool) -> None:
    """Draw the button that opens the links and programs.

    Args:
        form: what would be spoken now, if it is complete.
        run: the current run, if any.
        changed: whether the form is no longer what the run was made from.
    """
    with st.popover("Copy as", icon=":material/content_copy:", help="Link, command and Python"):
        if run is not None:
            st.markdown("**This run**")
            _link()
            _programs(run.request, "run", load=run.load)
            _remarks(run)
        if form is not None and (run is None or changed):
            st.markdown("**The form**")
            _programs(form, "form")


def address() -> str:
    """Return the address that opens both runs in another tab or browser."""
    other = document.second()
    return f"{origin()}/?run={document.current()}" + (f"&b={other}" if other else "")


def _link() -> None:
    st.caption("Link" + (" to both runs" if document.second() else ""))
    st.code(address(), language=None, wrap_lines=True)


def _programs(request: SpeechRequest, key: str, load: dict[str, Any] | None = None) -> None:
    recording, note = _recording(request.voice)
    text_file = TEXT_FILE if len(request.text) > LONG_CHARACTERS else ""
    how: dict[str, Any] = {"load": load, "recording": recording, "text_file": text_file}
    st.caption("Command")
    st.code(spelled.command(request, **how), language="bash", wrap_lines=True)
    st.caption("Python")
    st.code(spelled.python(request, **how), language="python", wrap_lines=True)
    if text_file:
        st.download_button(
            f"The text as {TEXT_FILE}", lambda: request.text.encode("utf-8", "replace"), TEXT_FILE, "text/plain",
            key=f"text_of_{key}", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
    if note:
        st.caption(note)


def _recording(voice: VoiceRef) -> tuple[str, str]:
    """Return the file of a voice, "" for one that is known by its name, and what to say about it."""
    if _is_known(voice):
        return "", ""
    if voice.recording:
        return voice.recording, ""
    return "recording.wav", "The voice was uploaded: save the recording as recording.wav, or keep it under a name."


def _is_known(voice: VoiceRef) -> bool:
    try:
        names = [known.name for known in resources.bundled_voices() if same_name(known.name, voice.name)]
        return bool(names) and resources.bundled_voice(names[0]).id == voice.id
    except WorkbenchError:
        return False


def _remarks(run: Run) -> None:
    again = changed_chunks(run)
    if again:
        names = ", ".join(str(index + 1) for index in again)
        st.caption(
            f"Chunks that were made again have other seeds or words here: {names}. "
            f"`workbench runs rerun {run.id}` repeats the run as it is."
        )
