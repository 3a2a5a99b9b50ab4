"""Fill the form from a run, so that it can be spoken again or changed."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.runs.store import read_document
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.ui import resources
from workbench.ui.parts import forms
from workbench.ui.parts.voice_picker import BUNDLED, OF_RUN
from workbench.ui.scripts import session


def adopt(run_id: str) -> None:
    """Put text, voice, settings and model of a saved run into the widgets. Call this before they are drawn.

    Does nothing for a run that is not on disk, as one that is being made: the form is what it was made from.
    """
    try:
        document = read_document(run_id)
    except RunError:
        return
    state = st.session_state
    state["text"] = document["text"]
    request = SpeechRequest.from_dict(document["request"])
    session.adopt(run_id, request)
    if (voice := request.main_voice) is None:  # the tags of a script name all who speak
        state["voice_source"], state["voice_run"] = BUNDLED, None
    elif _is_bundled(voice.name, voice.id):
        state["voice_source"], state["voice_name"], state["voice_run"] = BUNDLED, voice.name, None
    else:
        state["voice_source"], state["voice_run"] = OF_RUN, run_id
    _adopt_model(document["model"], document.get("request", {}).get("load", {}).get("weights", "auto"))
    known = {name: document["settings"][name] for name in forms.names() if name in document["settings"]}
    forms.put({**SynthesisSettings().as_dict(), **known})
    if voice is not None:
        state["form_voice"] = VoiceRef(voice.id, voice.name, voice.ref_text)


def _is_bundled(name: str, voice_id: str) -> bool:
    """Whether a bundled voice has this name and this id."""
    try:
        return name in {v.name for v in resources.bundled_voices()} and resources.bundled_voice(name).id == voice_id
    except WorkbenchError:
        return False


def _adopt_model(model: str, weights: str) -> None:
    """Choose the model of a run if it can be used here."""
    state = st.session_state
    if model in {resources.default_model(), *resources.usable_models(str(home()))}:
        state["model"] = model
        state["weights"] = weights if weights in ("auto", *resources.weights_there(model)) else "auto"
