"""Page: plan a text, speak it chunk by chunk, and show the time of every stage."""

from __future__ import annotations

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs.store import read_document
from workbench.engine.settings import LoadSettings, SynthesisSettings, describe
from workbench.engine.speech.voices import Voice
from workbench.ui import document, resources
from workbench.ui.parts import forms
from workbench.ui.parts.examples import EXAMPLES, FIRST_TEXT
from workbench.ui.parts.live_text import live_text
from workbench.ui.parts.plan_view import plan_if_any, show_plan, upstream_bytes
from workbench.ui.parts.preload_view import preload_line
from workbench.ui.parts.voice_picker import pick_voice
from workbench.ui.runs import measured_view, run_live, run_tools, run_view
from workbench.ui.scripts import opening
from workbench.ui.style import empty


def take_example() -> None:
    """Put the chosen example into the text area (a callback)."""
    if chosen := st.session_state.get("example"):
        st.session_state.text = EXAMPLES[chosen]
        st.session_state.example = None


def pick_model() -> str:
    """Return the model to speak with; draw a choice if several are on disk."""
    names = resources.usable_models(str(home()))
    first = resources.default_model()
    names = [first, *(name for name in names if name != first)]
    if len(names) == 1:
        return first
    return st.selectbox("Model", names, key="model", persist_state="session")


def pick_weights(model: str) -> LoadSettings:
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


def knobs() -> tuple[str, LoadSettings, Voice | None, SynthesisSettings | None]:
    """Draw the form; return model, how to load it, voice, settings. The last two are None if missing or invalid."""
    model = pick_model()
    load = pick_weights(model)
    voice = pick_voice(model)
    size = forms.chunk_bytes(upstream_bytes(voice))
    steps = forms.nfe()
    seed = forms.knob("seed")
    with st.expander("Other knobs"):
        others = forms.other_knobs()
        st.toggle(
            "Reuse unchanged chunks",
            True,
            key="reuse",
            help="Read chunks from earlier runs if their words, voice, settings and seed have not changed. The samples "
            "are the same. Off: every chunk is made and measured.",
            persist_state="session",
        )
        st.toggle(
            "Profile the next run",
            key="profile",
            help="Note every operation of the device: a trace for ui.perfetto.dev, among the files of the run. "
            "Profiling slows the run, and no chunk is reused.",
        )
    try:
        settings = SynthesisSettings(nfe_step=steps, max_chunk_bytes=size, seed=int(seed), **others)
    except WorkbenchError as error:
        st.error(str(error))
        return model, load, voice, None
    return model, load, voice, settings


def start(text: str, voice: Voice, settings: SynthesisSettings, model: str, load: LoadSettings) -> None:
    """Queue the synthesis and show it."""
    try:
        reuse = bool(st.session_state.get("reuse", True))
        profile = bool(st.session_state.get("profile"))
        wanted = resources.request(text, voice, settings, model, load, reuse=reuse).replace(profile=profile)
        job = resources.job_manager().submit(SpeechJob(wanted))
    except WorkbenchError as error:
        st.error(str(error))
        return
    st.session_state.started_here = job.id
    document.show(job.id)


@st.fragment
def compose() -> None:
    """Draw text, knobs, plan and button. This is a fragment: typing redraws the plan, not the result below."""
    left, right = st.columns([5, 2], gap="medium")
    with right:
        model, load, voice, settings = knobs()
    with left:
        st.selectbox(
            "Example",
            list(EXAMPLES),
            index=None,
            key="example",
            placeholder="Choose an example text",
            label_visibility="collapsed",
            on_change=take_example,
        )
        text = st.text_area(
            "Text",
            FIRST_TEXT,
            key="text",
            height=150,
            placeholder="Text to speak",
            persist_state="session",
        )
        live_text("text")
        job = document.job()
        busy = job is not None and job.is_active
        found = plan_if_any(text, voice, settings, model)
        opening.tools(found)
        pressed = st.button(
            "Synthesize",
            key="go",
            type="primary",
            shortcut="Ctrl+Enter",
            disabled=busy or found is None or not found.chunks,
        )
        run_live.strip(job)
        show_plan(text, found, voice, "text")
    if pressed and found and found.chunks and voice and settings:
        start(text, voice, settings, model, load)


def result() -> None:
    """Draw the run of this page: live while it is synthesized, complete at the end."""
    run_id = document.current()
    if run_id is None:
        empty(
            "Press <b>Synthesize</b> or Ctrl+Enter. Chunks play as they are finished. Timings and spectrogram follow."
        )
        return
    job = document.job()
    if job is not None:
        if job.base is None:
            run_live.chunks(job)
        run = job.run or job.base  # while a chunk is made again, its run stays on the page
    else:
        try:
            run = resources.saved_run(run_id)
        except WorkbenchError as error:
            st.error(str(error))
            return
    if run is None:
        return
    if job is not None and job.is_unsaved:
        run_tools.unsaved(job)
    elif job is None or job.base is not None:
        run_live.finished(run)
    try:
        if job is None or run is not job.run:
            read_document(run.id)
    except WorkbenchError as error:  # deleted meanwhile on the page Runs; the copy in memory can still be downloaded
        st.warning(str(error))
    run_view.show_run(run)
    measured_view.measured(run)
    st.header("Files")
    run_tools.downloads(run)
    st.header("Make one chunk again")
    run_tools.remake(run)


st.title("Synthesize")
preload_line()
compose()
st.divider()
result()
