"""Page: the ODE of a chunk from noise to speech, step by step."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from workbench import figures
from workbench.engine import upstream
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.rules import EPSS_STEPS
from workbench.engine.runs.store import RunSummary, list_runs
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal import audio
from workbench.engine.signal.trajectory import Trajectory
from workbench.engine.speech.results import ChunkResult, Run
from workbench.ui import resources, style
from workbench.ui.parts import watch
from workbench.ui.parts.theme import is_dark
from workbench.ui.resources import default_voice, engine, job_manager, request
from workbench.ui.runs import sources

LANE = "auto"  # the lane of synthesis, so that one job at a time uses the models
EXAMPLE = "The noise becomes a voice, one step at a time."


@st.cache_data(show_spinner="Importing F5-TTS, for its time grids", max_entries=256)
def grid_of(n_steps: int, sway: float | None, pruned: bool) -> np.ndarray:
    """Return the flow times of the solver, float32 [n_steps + 1]."""
    upstream.install()
    from workbench.engine.model.sampling import time_grid

    return time_grid(
        SynthesisSettings(nfe_step=n_steps, sway_sampling_coef=sway, use_epss=pruned, ode_method="euler")
    ).numpy()


def run_with_states(run_id: str) -> Run:
    """Load a run with the states of its ODE, up to 256 MB. Raises RunError."""
    with st.spinner("Reading the run"):
        return resources.saved_run(run_id, trajectories=True)


def states_of(chunk: ChunkResult) -> Trajectory:
    """Return the states of a chunk whose trajectory was kept."""
    assert chunk.trajectory is not None
    return chunk.trajectory


@st.cache_resource(show_spinner=False, max_entries=6)
def moving_picture(run_id: str, index: int, dark: bool, colours: str, decibels: float) -> object:
    """Return the animation of a chunk; cached, because it holds tens of images."""
    run = run_with_states(run_id)
    states = states_of(run.chunks[index])
    grid = grid_of(run.settings.nfe_step, run.settings.sway_sampling_coef, run.settings.use_epss)
    return figures.animation(
        states.states, states.times, steps_kept(grid, states.times), run.mel_config, dark=dark, colour_map=colours,
        dynamic_range=decibels,
    )  # fmt: skip


def steps_kept(grid: np.ndarray, times: np.ndarray) -> list[int]:
    """Return, for each kept state, the number of the step that ends there."""
    return [int(np.abs(grid - t).argmin()) for t in times]


def decode(job: Job, model: str, chunk: ChunkResult, position: int) -> bytes:
    """Return WAV bytes of the state at ``position``, scaled like the finished chunk and never louder than it."""
    job.doing = "decoding"
    loaded, states = engine(model), states_of(chunk).states
    finished, wave = loaded.decode(states[-1]), loaded.decode(states[position])
    target = audio.rms(chunk.wave)
    wave = wave * (target / max(audio.rms(finished), 1e-9))
    return audio.to_bytes(wave * min(1.0, target / max(audio.rms(wave), 1e-9)), chunk.sample_rate)


def listen(run: Run, chunk: ChunkResult, steps: list[int]) -> None:
    """Draw the choice of an ODE step and play its state through the vocoder."""
    st.header("Listen to a step")
    one, two = st.columns([3, 1], vertical_alignment="bottom")
    name = f"{run.id}_{chunk.chunk.index}"
    step = one.select_slider("After ODE step", steps, value=steps[-1], key=f"step_{name}")
    wanted = f"listen_{name}_{step}"
    if two.button("Decode it", icon=":material/volume_up:", width="stretch", key="decode"):
        position = steps.index(step)
        work = partial(decode, model=run.model, chunk=chunk, position=position)
        watch.remember(wanted, job_manager().start("Vocoder", work, lane=LANE))
    job = watch.watch(wanted)
    if job is not None and job.state == DONE:
        st.audio(job.result, autoplay=True, alt=f"The state after ODE step {step}, through the vocoder")
    st.caption(
        "The vocoder turns the state of this step into sound. The first states are noise. A state that would be louder "
        "than the finished chunk is lowered to its level."
    )


def make_one(expanded: bool) -> None:
    """Draw the form that makes a run with its trajectory, and show it when it is done."""
    with st.expander("Make a run that keeps its trajectory", expanded=expanded, icon=":material/add_circle:"):
        text = st.text_input("Text", EXAMPLE, max_chars=300, key="flow_text")
        one, two = st.columns([3, 1], vertical_alignment="bottom")
        steps = one.slider("ODE steps", 4, 64, 16, key="flow_steps", help="Each step keeps frames x 100 numbers.")
        if two.button("Make it", type="primary", width="stretch", key="flow_make"):
            chosen = SynthesisSettings(nfe_step=steps, keep_trajectory=True)
            made = SpeechJob(request(text, default_voice(), chosen), "Run with its trajectory")
            watch.remember("flow", job_manager().submit(made))
    job = watch.watch("flow")
    if job is not None and job.state == DONE and st.session_state.get("flow_shown") != job.id:
        st.session_state["flow_shown"] = job.id
        st.query_params["run"] = job.id
        st.rerun()


def trajectory(runs: list[RunSummary]) -> None:
    """Draw the states, distances and sound of one chunk."""
    run_id = sources.choose_run("Run", "run_flow", runs, st.query_params.get("run"))
    run = run_with_states(run_id)
    kept = [c.chunk.index for c in run.chunks if c.trajectory is not None]
    index = kept[0]
    if len(kept) > 1:
        index = st.selectbox("Chunk", kept, format_func=lambda k: f"chunk {k + 1}", key=f"flow_chunk_{run_id}")
    chunk = run.chunks[index]
    st.text(chunk.chunk.text)
    st.plotly_chart(
        moving_picture(run_id, index, is_dark(), figures.COLOUR_MAPS[0], 80.0), theme=None, key="flow_movie",
        config=figures.CONFIG, alt="Mel of the chunk at each step of the ODE, from noise to speech",
    )  # fmt: skip
    grid = grid_of(run.settings.nfe_step, run.settings.sway_sampling_coef, run.settings.use_epss)
    listen(run, chunk, steps_kept(grid, states_of(chunk).times))
    st.header("Distance travelled")
    moved = states_of(chunk).distances
    st.plotly_chart(
        figures.distances(grid, moved, chunk.timing.step_seconds, dark=is_dark()), theme=None, key="flow_distances",
        config=figures.CONFIG, alt="Distance and speed of each step of the ODE",
    )  # fmt: skip
    half = int(np.searchsorted(np.cumsum(moved), moved.sum() / 2)) + 1
    st.caption(
        f"Root mean square change of the mel in each step. Half of the distance is covered after step {half} of "
        f"{len(moved)}. Steps should be short where the direction changes, and can be long where it does not."
    )


def time_grids() -> None:
    """Draw the flow times of the steps, with and without sway sampling and EPSS."""
    st.header("Time grid")
    one, two = st.columns(2)
    steps = one.slider("ODE steps", 2, 64, 16, key="grid_steps", help=f"EPSS grids exist for {EPSS_STEPS}.")
    sway = two.slider("Sway", -1.0, 1.0, -1.0, 0.1, key="grid_sway", help="Below 0: small steps early. Paper: -1.")
    grids = {"uniform": grid_of(steps, None, False), f"sway {sway:g}": grid_of(steps, sway, False)}
    chosen = f"sway {sway:g}"
    if steps in EPSS_STEPS:
        chosen = f"EPSS + sway {sway:g}"
        grids |= {"EPSS": grid_of(steps, None, True), chosen: grid_of(steps, sway, True)}
    st.plotly_chart(
        figures.time_grids(grids, chosen, dark=is_dark()), theme=None, key="flow_grids", config=figures.CONFIG,
        alt="Flow times of the steps, uniform, with sway sampling and with EPSS",
    )  # fmt: skip
    if steps not in EPSS_STEPS:
        st.caption(f"There is no EPSS grid for {steps} steps. EPSS grids exist for {', '.join(map(str, EPSS_STEPS))}.")


st.title("Flow")
st.caption(
    "A chunk starts as noise. At each step the model gives the direction towards speech, and the ODE solver follows it."
)
found: list[RunSummary] = []
try:
    found = [run for run in list_runs() if run.has_trajectory]
    if found:
        trajectory(found)
    else:
        style.empty("No run with a trajectory yet. Make one below; one sentence is enough.")
except WorkbenchError as error:  # one run cannot be read: the page below still works
    st.error(str(error))
try:
    make_one(expanded=not found)
    time_grids()
except WorkbenchError as error:
    st.error(str(error))
