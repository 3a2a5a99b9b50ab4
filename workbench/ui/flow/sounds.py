"""The sound of each state: one job decodes those of a flow ahead, so that the slider plays at once."""

from __future__ import annotations

import zlib
from functools import partial

import numpy as np
import streamlit as st

from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.signal import audio
from workbench.ui import dock
from workbench.ui.flow.states import Flow
from workbench.ui.parts import watch
from workbench.ui.resources import engine, engine_if_loaded, job_manager

MAX_SECONDS = 240.0  # of sound for one flow; of a long chunk, fewer states are decoded
UNASKED_SECONDS = 90.0  # of sound that is decoded without being asked for, if the model is in memory


def decoded(flow: Flow) -> list[int]:
    """Return the positions of the states that get a sound: all, or as many as fit, always with both ends."""
    n_states = len(flow.path.states)
    most = max(2, int(MAX_SECONDS / max(flow.chunk.audio_seconds, 0.1)))
    if n_states <= most:
        return list(range(n_states))
    return sorted({int(k) for k in np.rint(np.linspace(0, n_states - 1, most))})


def decode(job: Job, flow: Flow, positions: list[int]) -> list[bytes]:
    """Return WAV bytes of the states at ``positions``, scaled like the finished chunk and never louder than it."""
    chunk, states = flow.chunk, flow.path.states
    loaded = engine(flow.run.model)
    target = audio.rms(chunk.wave)
    gain = target / max(audio.rms(loaded.decode(states[-1])), 1e-9)
    found = []
    for done, position in enumerate(positions):
        job.report(done / len(positions), f"state {done + 1} of {len(positions)}")
        wave = loaded.decode(states[position]) * gain
        found.append(audio.to_bytes(wave * min(1.0, target / max(audio.rms(wave), 1e-9)), chunk.sample_rate))
    return found


def of(flow: Flow) -> list[dock.Sound | None]:
    """Return the sound of each state; None for those without. Draws the job that makes them, or its button."""
    chunk = dock.of_chunk(flow.run, flow.index)
    none: list[dock.Sound | None] = [None] * (len(flow.path.states) - 1)
    waves = _made(flow)
    if waves is None:
        return [*none, chunk]
    sounds = list(none)
    for position, wave in zip(decoded(flow), waves, strict=False):
        if position < len(sounds):
            title = (
                f"{flow.letter}: state {flow.steps[position]} of {flow.n_steps}, t = {flow.path.times[position]:.2f}"
            )
            sounds[position] = dock.of_bytes(
                wave, title, timeline=chunk.timeline or chunk.key, starts_at=chunk.starts_at
            )
    return [*sounds, chunk]  # the last state is what the chunk was decoded from


def _made(flow: Flow) -> list[bytes] | None:
    """Return the decoded states; start or offer the job that decodes them if there is none."""
    key = f"states_{zlib.crc32(flow.key.encode()):08x}"
    job = watch.remembered(key)
    if job is None:
        positions = decoded(flow)
        work = partial(decode, flow=flow, positions=positions[:-1])
        seconds = len(positions) * flow.chunk.audio_seconds
        if engine_if_loaded(flow.run.model) is None or seconds > UNASKED_SECONDS:
            label = f"Make the sound of {len(positions)} states of {flow.letter}"
            about = f"{seconds:.0f} s of sound go through the vocoder, once; then the slider plays each at once."
            if not st.button(label, icon=":material/volume_up:", key=f"decode_{flow.letter}", help=about):
                return None
        job = job_manager().start(f"Sound of the states of {flow.letter}", work, lane=SPEECH_LANE)
        watch.remember(key, job)
    watch.watch(key)
    found: list[bytes] | None = job.result if job.state == DONE else None
    return found
