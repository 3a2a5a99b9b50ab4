"""Measurements of the stops: made once for each run, at once or as a job where the model is needed."""

from __future__ import annotations

from functools import partial

import streamlit as st

from workbench.classroom.stops import CHUNK_BYTES, STEPS, TEXT, Stop
from workbench.classroom.values import Measured
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SPEECH_LANE, SpeechJob
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import Run
from workbench.ui import resources
from workbench.ui.parts import watch

_RUN_KEY = "class_run"


def measured(stop: Stop, run: Run) -> Measured | None:
    """Return the measurement of ``stop`` in ``run``; None while its job works, which is drawn meanwhile.

    Raises:
        WorkbenchError: the run cannot be measured.
    """
    if not stop.needs_engine:
        return resources.kept().get(
            ("class", stop.key, run.version), lambda: stop.measure(run, resources.pool().engine)
        )
    found: dict[tuple[str, str], Measured] = st.session_state.setdefault("class_measured", {})
    if (stop.key, run.version) in found:
        return found[stop.key, run.version]
    key = f"class_{stop.key}_{run.version}"
    if watch.remembered(key) is None:
        work = partial(_measure, stop=stop, run=run)
        watch.remember(key, resources.job_manager().start(f"Measure: {stop.title}", work, lane=SPEECH_LANE))
    job = watch.watch(key)
    if job is None or job.state != DONE:
        return None
    found[stop.key, run.version] = job.result
    watch.forget(key)
    return found[stop.key, run.version]


def known(stop: Stop, run: Run) -> Measured | None:
    """Return the measurement if it is at hand or takes no time; starts no job."""
    if not stop.needs_engine:
        return measured(stop, run)
    found: dict[tuple[str, str], Measured] = st.session_state.get("class_measured", {})
    return found.get((stop.key, run.version))


def _measure(job: Job, stop: Stop, run: Run) -> Measured:
    job.doing = "measuring"
    return stop.measure(run, resources.pool().engine)


def speak() -> None:
    """Start the job that makes the class's own run, with the states of its ODE."""
    settings = SynthesisSettings(nfe_step=STEPS, max_chunk_bytes=CHUNK_BYTES, keep_trajectory=True)
    asked = resources.request(TEXT, resources.default_voice(), settings)
    watch.remember(_RUN_KEY, resources.job_manager().submit(SpeechJob(asked, "The run of the class")))


def spoken() -> str | None:
    """Draw the job of the class's run; return the run's id once, when it is done."""
    job = watch.watch(_RUN_KEY)
    if job is None or job.state != DONE:
        return None
    watch.forget(_RUN_KEY)
    return job.id
