"""The form beside the text: model, voice and settings, in the sidebar, the same on every page that has it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.settings import LoadSettings, SynthesisSettings, describe
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice
from workbench.ui import document, resources
from workbench.ui.parts import forms
from workbench.ui.parts.plan_view import upstream_bytes
from workbench.ui.parts.voice_picker import pick_voice


@dataclass(frozen=True)
class Form:
    """What the form holds: model, how to load it, voice and settings. The last two are None if missing or invalid."""

    model: str
    load: LoadSettings
    voice: Voice | None
    settings: SynthesisSettings | None

    def request(self, text: str, *, reuse: bool = False, profile: bool = False) -> SpeechRequest | None:
        """Return the request for ``text``; None if something is missing."""
        if self.voice is None or self.settings is None:
            return None
        wanted = resources.request(text, self.voice, self.settings, self.model, self.load, reuse=reuse)
        return wanted.replace(profile=profile)


def show(*, with_size: bool = True, with_run: bool = True) -> Form:
    """Draw the form in the sidebar and return it.

    Args:
        with_size: draw the chunk size; a page that explores it has a slider of its own.
        with_run: draw what only matters for the next run: reuse and profile.
    """
    with st.sidebar:
        model = _model()
        load = _weights(model)
        voice = pick_voice(model)
        document.spoken_by(voice.ref if voice else None)
        st.markdown("###### Settings")
        if with_size:
            forms.chunk_bytes(upstream_bytes(voice))
        forms.nfe()
        forms.knob("seed")
        with st.expander("Other settings"):
            forms.other_knobs()
            if with_run:
                _next_run()
        try:
            settings: SynthesisSettings | None = forms.chosen()
        except WorkbenchError as error:
            st.error(str(error))
            settings = None
    return Form(model, load, voice, settings)


def _model() -> str:
    """Return the model to speak with; draw a choice if several are on disk."""
    first = resources.default_model()
    names = [first, *(name for name in resources.usable_models(str(home())) if name != first)]
    if len(names) == 1:
        st.page_link(
            "views/models.py", label=f"Model {first} · get others", icon=":material/database:",
            help="The only model on this disk. The page Models says how to get others.",
        )  # fmt: skip
        return first
    return st.selectbox("Model", names, key="model", persist_state="session")


def _weights(model: str) -> LoadSettings:
    """Return how to load ``model``; draw a choice if its file holds EMA and raw weights."""
    there = resources.weights_there(model)
    if len(there) < 2:
        return LoadSettings()
    help_text = next(row["help"] for row in describe(LoadSettings) if row["name"] == "weights")
    chosen = st.segmented_control(
        "Weights", ["auto", *there], default="auto", key="weights", required=True, persist_state="session",
        help=help_text,
    )  # fmt: skip
    return LoadSettings(weights=chosen or "auto")


def _next_run() -> None:
    st.toggle(
        "Reuse unchanged chunks", True, key="reuse", persist_state="session",
        help="Read chunks from earlier runs if their words, voice, settings and seed have not changed. The samples "
             "are the same. Off: every chunk is made and measured.",
    )  # fmt: skip
    st.toggle(
        "Profile the next run", key="profile",
        help="Note every operation of the device: a trace for ui.perfetto.dev, among the files of the run. "
             "Profiling slows the run, and no chunk is reused.",
    )  # fmt: skip
