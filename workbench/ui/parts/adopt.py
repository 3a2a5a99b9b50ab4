"""Fill the form from a run that a link opened, so that it can be spoken again or changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.runs.store import read_document
from workbench.ui import resources
from workbench.ui.parts import forms
from workbench.ui.parts.voice_picker import BUNDLED, OF_RUN


def adopt(run_id: str) -> None:
    """Put text, voice and settings of a saved run into the widgets. Call this before they are drawn.

    Does nothing for a run that is not on disk. A value that a widget does not offer leaves the widget unchanged.
    """
    try:
        document = read_document(run_id)
    except RunError:
        return
    state = st.session_state
    state["text"] = document["text"]
    state["voice_run"] = run_id
    if _is_bundled(document["voice"], document["voice_id"]):
        state["voice_source"], state["voice_name"] = BUNDLED, document["voice"]
    else:
        state["voice_source"] = OF_RUN
    _knobs(state, document["settings"])


def _is_bundled(name: str, voice_id: str) -> bool:
    """Whether a bundled voice has this name and this id."""
    try:
        return name in {v.name for v in resources.bundled_voices()} and resources.bundled_voice(name).id == voice_id
    except WorkbenchError:
        return False


def _knobs(state: Any, settings: dict[str, Any]) -> None:
    size = settings.get("max_chunk_bytes")
    fits = size is not None and forms.CHUNK_BYTES_LOW <= size <= forms.CHUNK_BYTES_HIGH
    state["own_chunk_size"] = fits
    if fits:
        state["knob_max_chunk_bytes"] = size
    if settings.get("nfe_step") in forms.NFE_CHOICES:
        state["knob_nfe_step"] = settings["nfe_step"]
    for name in forms.names():
        if name not in ("nfe_step", "max_chunk_bytes") and name in settings:
            state[f"knob_{name}"] = settings[name]
