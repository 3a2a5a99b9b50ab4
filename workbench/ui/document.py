"""The one document of a session: text, voice, settings and model, the run you hear (A), and the run beside it (B).

Every page is a view of it. The address ``?run=A&b=B`` restores it on any page, in another tab and after a restart of
the server: run A fills the form. ``main`` calls ``sync`` before it draws a page.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast

import streamlit as st

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import run_folder
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.engine.speech.results import Run
from workbench.ui import dock, resources
from workbench.ui.parts import forms
from workbench.ui.parts.adopt import adopt
from workbench.ui.parts.examples import EXAMPLES, FIRST_TEXT

_SLOTS = {"run": "run_id", "b": "second_id"}  # name in the address to key in session state


def sync() -> None:
    """Read the address, fill the form from a run that a link opened, and write the address again.

    Call it before any widget: what other pages or the last script run wanted to put into the form is put there.
    """
    state = st.session_state
    for name, key in _SLOTS.items():
        asked = st.query_params.get(name)
        if asked and asked != state.get(f"{name}_in_address"):
            if name == "run" and _is_untouched():
                state["adopt_next"] = asked
            state[key] = asked
    wanted = state.pop("adopt_next", None)
    if wanted is not None:
        adopt(wanted)
    pending = state.pop("use_next", {})
    if (words := pending.pop("text", None)) is not None:
        state["text"] = words
    forms.put(pending)
    _find()
    for name, key in _SLOTS.items():
        _write(name, state.get(key) or state.get(f"missing_{name}"))


def _write(name: str, run_id: str | None) -> None:
    st.session_state[f"{name}_in_address"] = run_id
    if run_id and st.query_params.get(name) != run_id:
        st.query_params[name] = run_id
    elif not run_id and name in st.query_params:
        del st.query_params[name]


def _find() -> None:
    """Drop what is not there: its id is kept as missing, so that pages can say so."""
    state = st.session_state
    for name, key in _SLOTS.items():
        run_id = state.get(key)
        if run_id:
            state[f"missing_{name}"] = None
        if run_id and not _is_there(run_id):
            state[f"missing_{name}"], state[key] = run_id, None


def _is_there(run_id: str) -> bool:
    if resources.job_manager().get(run_id) is not None:
        return True
    try:
        run_folder(run_id)
    except RunError:
        return False
    return True


def current() -> str | None:
    """Return the id of the run or job you hear: the one of the address, else the last shown; None without one."""
    return st.session_state.get("run_id")


def second() -> str | None:
    """Return the id of the run that the current one is compared with, if any."""
    return st.session_state.get("second_id")


def missing_id() -> str:
    """Return the first id in the address that names no run; "" if there is none."""
    return str(st.session_state.get("missing_run") or st.session_state.get("missing_b") or "")


def missing() -> str:
    """Return what is wrong with an id in the address that names no run, in words; "" if nothing is."""
    wrong = missing_id()
    try:
        if wrong:
            run_folder(wrong)
    except RunError as error:
        return str(error)
    return ""


def job() -> SpeechJob | None:
    """Return the job of the current run; None if this server does not have it, as for a run of an earlier server."""
    found = resources.job_manager().get(current())
    # not isinstance: the class may have been reloaded
    return cast(SpeechJob, found) if hasattr(found, "chunks") else None


def show(run_id: str) -> NoReturn:
    """Make ``run_id`` the current run and draw the page again.

    The form follows if it was what the run before was made from; a form with changes is kept.
    """
    state = st.session_state
    if _is_untouched():
        state["adopt_next"] = run_id
    state["run_id"] = run_id
    if state.get("second_id") == run_id:
        state["second_id"] = None
    st.rerun()


def _is_untouched() -> bool:
    """Whether the form holds nothing of its own: it is what the current run was made from, or an example."""
    made = job()
    if made is not None:
        return not changes(made.request)
    was = run()
    return not is_changed(was) if was is not None else text() in EXAMPLES.values()


def adopt_again() -> NoReturn:
    """Put text, voice and settings of the current run into the form, and draw the page again."""
    st.session_state["adopt_next"] = current()
    st.rerun()


def compare_with(run_id: str | None) -> NoReturn:
    """Put ``run_id`` beside the current run, or with None take it away, and draw the page again."""
    st.session_state["second_id"] = run_id if run_id != current() else None
    st.rerun()


def swap() -> NoReturn:
    """Exchange the two runs and draw the page again."""
    state = st.session_state
    other = state.get("second_id")
    state["second_id"] = current()
    if other:
        show(other)
    st.rerun()


def close() -> NoReturn:
    """Forget both runs, keep the form, and draw the page again."""
    state = st.session_state
    for name, key in _SLOTS.items():
        state[key] = state[f"missing_{name}"] = None
        st.query_params.pop(name, None)
    st.rerun()


def run() -> Run | None:
    """Return the current run as ``read``; None without one."""
    run_id = current()
    return read(run_id) if run_id else None


def read(run_id: str) -> Run | None:
    """Return a run, from its job or from disk; None while there is none or it cannot be read.

    With the takes that are chosen now; of a run that was stopped, the chunks that are made. One that was deleted is
    still in memory for a while.
    """
    made: Any = resources.job_manager().get(run_id)
    made = made if hasattr(made, "chunks") else None
    in_memory: Run | None = (made.run or made.base) if made is not None else None
    if made is not None and (made.is_active or made.is_unsaved):
        return in_memory
    try:
        return resources.saved_run(run_id)
    except WorkbenchError:
        return in_memory


def sound_of(found: Run) -> dock.Sound:
    """Return the sound of a finished run for the player, also of one that could not be saved."""
    made: Any = resources.job_manager().get(found.id)
    return dock.of_job(made) if made is not None and made.is_unsaved else dock.of_run(found)


# The form ------------------------------------------------------------------------------------------------------------


def text() -> str:
    """Return the text in the form."""
    return str(st.session_state.get("text", FIRST_TEXT))


def settings() -> SynthesisSettings:
    """Return the settings in the form. Raises SettingsError if one is out of its range."""
    return forms.chosen()


def model() -> str:
    """Return the name of the model in the form."""
    return st.session_state.get("model") or resources.default_model()


def load() -> LoadSettings:
    """Return how the form loads its model."""
    return LoadSettings(weights=st.session_state.get("weights") or "auto")


def use(**changes: Any) -> NoReturn:
    """Put settings, or ``text=``, into the form and draw the page again: ``use(max_chunk_bytes=70)``.

    Not for callbacks: these cannot draw the page again.
    """
    st.session_state["use_next"] = {**st.session_state.get("use_next", {}), **changes}
    st.rerun()


def spoken_by(voice: VoiceRef | None) -> None:
    """Note the voice of the form, which only the widgets know, for ``changes``."""
    st.session_state["form_voice"] = voice


def is_changed(run: Run) -> bool:
    """Whether the form is no longer what ``run`` was made from."""
    return bool(changes(run.request))


def changes(made: SpeechRequest) -> list[str]:
    """Return what in the form differs from ``made``, in words: "text", "ODE steps 16, was 7"."""
    found = [] if text().strip() == made.text.strip() else ["text"]
    voice: VoiceRef | None = st.session_state.get("form_voice")
    was = made.main_voice
    if voice is not None and was is not None and voice.id != was.id:
        found.append(f"voice {voice.name}, was {was.name}")
    if model() != made.model:
        found.append(f"model {model()}, was {made.model}")
    if load().weights != made.load.weights:
        found.append(f"weights {load().weights}, was {made.load.weights}")
    return found + forms.differences(made.settings)
