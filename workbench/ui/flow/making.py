"""Make runs that keep the states of their ODE: of the document's text, or a second flow with one thing changed."""

from __future__ import annotations

import re
import zlib
from typing import Any

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.ui import document
from workbench.ui.flow.states import Flow
from workbench.ui.parts import forms, watch
from workbench.ui.resources import default_voice, job_manager, pool, request, voice_of

MAX_CHARACTERS = 300
_SENTENCE = re.compile(r".+?[.!?。！？…](?=\s|$)|.+$", re.DOTALL)


def first_sentence(text: str) -> str:
    """Return the first sentence of ``text`` in one line, 300 characters at most: one chunk is enough for a flow."""
    found = _SENTENCE.search(" ".join(text.split()))
    return (found.group(0) if found else "")[:MAX_CHARACTERS].strip()


def _base() -> tuple[str, SpeechRequest]:
    """Return the text and the request to start from: of the run you hear, else of the document."""
    run = document.run()
    if run is not None:
        chunk = run.chunks[0]
        made = run.settings.replace(seed=chunk.seed, keep_trajectory=True)
        return chunk.chunk.text, request(chunk.chunk.text, voice_of(run), made, run.model, run.request.load)
    text = first_sentence(document.text())
    made = document.settings().replace(keep_trajectory=True)
    chosen: VoiceRef | None = st.session_state.get("form_voice")
    voice = pool().voice(chosen, MelConfig()) if chosen is not None else default_voice()
    return text, request(text, voice, made, document.model(), document.load())


def one(expanded: bool) -> None:
    """Draw the form that makes a run with its states, and show it when it is done."""
    with st.expander("Make a run that keeps its states", expanded=expanded, icon=":material/add_circle:"):
        try:
            words, base = _base()
        except WorkbenchError as error:  # such as a voice that is no longer there
            st.error(str(error))
            return
        text = st.text_input("Text", words, max_chars=MAX_CHARACTERS, key=f"flow_text_{zlib.crc32(words.encode()):08x}")
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        steps = left.slider("ODE steps", 2, 64, min(max(base.settings.nfe_step, 2), 64), key="flow_steps")
        st.caption(f"Voice {base.voice.name}, model {base.model}. One chunk; each step keeps its mel.")
        if right.button("Make it", type="primary", width="stretch", key="flow_make"):
            _submit("flow", base.replace(text=text, settings=base.settings.replace(nfe_step=steps)), "Run with states")
    made = _finished("flow")
    if made:
        document.show(made)


def second(a: Flow) -> None:
    """Draw the form that makes a second flow from the words and the voice of ``a``, with something changed."""
    old = a.run.settings
    with st.expander("Make a second flow beside it: change one thing", icon=":material/compare:"):
        columns = st.columns(4)
        changed: dict[str, Any] = {
            "nfe_step": columns[0].number_input(forms.title("nfe_step"), 1, 128, old.nfe_step, key="second_nfe"),
            "cfg_strength": columns[1].number_input(
                forms.title("cfg_strength"), 0.0, 10.0, float(old.cfg_strength), 0.5, key="second_cfg"
            ),
            "sway_sampling_coef": columns[2].number_input(
                forms.title("sway_sampling_coef"),
                -1.0,
                1.0,
                float(old.sway_sampling_coef or 0.0),
                0.1,
                key="second_sway",
                help="0 is uniform.",
            ),
            "seed": columns[3].number_input(forms.title("seed"), 0, 2**31 - 1, a.chunk.seed, key="second_seed"),
        }
        differ = changed != {
            "nfe_step": old.nfe_step, "cfg_strength": old.cfg_strength, "seed": a.chunk.seed,
            "sway_sampling_coef": old.sway_sampling_coef or 0.0,
        }  # fmt: skip
        if st.button("Make it beside A", key="second_make", disabled=not differ):
            try:
                wanted = request(
                    a.chunk.chunk.text, voice_of(a.run), _with(old, changed), a.run.model, a.run.request.load
                )
                _submit("flow_second", wanted, "Second flow")
            except WorkbenchError as error:
                st.error(str(error))
        if not differ:
            st.caption("Change the number of steps, the guidance, the sway or the seed first.")
    made = _finished("flow_second")
    if made:
        if document.current() != a.run.id:
            st.session_state["second_id"] = made
            document.show(a.run.id)
        document.compare_with(made)


def _with(old: SynthesisSettings, changed: dict[str, Any]) -> SynthesisSettings:
    return old.replace(**changed, keep_trajectory=True)


def _submit(key: str, wanted: SpeechRequest, title: str) -> None:
    try:
        watch.remember(key, job_manager().submit(SpeechJob(wanted, title)))
    except WorkbenchError as error:
        st.error(str(error))


def _finished(key: str) -> str:
    """Draw the job under ``key``; return its id once, when it is done."""
    job = watch.watch(key)
    if job is None or job.state != DONE or st.session_state.get(f"{key}_shown") == job.id:
        return ""
    st.session_state[f"{key}_shown"] = job.id
    return job.id
