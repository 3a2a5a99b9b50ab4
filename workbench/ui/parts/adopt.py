"""A link to a run brings its text and its settings along, so that it can be spoken again, or changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.engine.errors import RunError
from workbench.engine.runs.store import read_document
from workbench.ui import resources
from workbench.ui.parts import forms
from workbench.ui.parts.voice_picker import BUNDLED


def adopt(run_id: str) -> None:
    """Put text, voice and settings of a saved run into the widgets. Call before they are drawn.

    Nothing happens for a run that is not on disk (yet); values that a widget does not offer are left alone.
    """
    try:
        document = read_document(run_id)
    except RunError:
        return
    state = st.session_state
    state["text"] = document["text"]
    if document["voice"] in {v.name for v in resources.bundled_voices()}:
        state["voice_source"], state["voice_name"] = BUNDLED, document["voice"]
    _knobs(state, document["settings"])


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
