"""How long a text will take on this machine: said before the button is pressed, and in the queue."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.jobs.queue import QUEUED, Job
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk
from workbench.engine.sweeps import forecast
from workbench.ui import resources
from workbench.ui.style import duration

FRESH_SECONDS = 20  # a run that has just ended is counted after this time at the latest


def points(model: str) -> list[costs.Point]:
    """Return measured chunks of finished runs of ``model``: same device and number format as in memory or last used."""
    engine = resources.engine_if_loaded(model)
    return _points(str(home()), model, *((engine.loaded.device, engine.loaded.dtype) if engine else ("", "")))


@st.cache_resource(show_spinner=False, ttl=FRESH_SECONDS, max_entries=8)
def _points(home: str, model: str, device: str, dtype: str) -> list[costs.Point]:
    return forecast.measured_points(model, device, dtype)


def forget() -> None:
    """Read the measured chunks again when they are next asked for."""
    _points.clear()


def expected(model: str, chunks: Sequence[Chunk], settings: SynthesisSettings) -> costs.Expectation | None:
    """Return the expected time of ``chunks``; None if nothing was measured on this machine."""
    return costs.expect(chunks, points(model), costs.passes(settings)) if chunks else None


def told(found: costs.Expectation | None) -> str:
    """Return an expected time in words: "about 12 s ± 3 s, from 24 chunks on this machine"."""
    if found is None:
        return "time unknown: no chunk was measured on this machine yet"
    n = f"{found.n_points} chunk{'s' if found.n_points > 1 else ''}"
    if found.error is None:
        return f"about {duration(found.seconds)}, guessed from only {n} on this machine"
    error = f" ± {duration(found.error)}" if found.error >= 0.05 else ""  # no "± 0.0 s"
    return f"about {duration(found.seconds)}{error}, from {n} on this machine"


# The queue -----------------------------------------------------------------------------------------------------------


def of_queue(job: Job) -> float | None:
    """Return the seconds until ``job`` begins: of the speech before it in its lane; None if one of it is unknown."""
    if job.state != QUEUED:
        return 0.0
    total = 0.0
    for other in resources.job_manager().jobs():
        if other.lane == job.lane and other.is_active and other.created < job.created:
            seconds = _left(other)
            if seconds is None:
                return None
            total += seconds
    return total


def _left(job: Job) -> float | None:
    if not hasattr(job, "request"):  # a sweep or a measurement
        return None
    speech: SpeechJob = job  # type: ignore[assignment]
    if (left := speech.seconds_left) is not None:
        return left
    found = _of_request(speech.request.replace(sweep=""))
    return found.seconds if found else None


@st.cache_resource(show_spinner=False, ttl=FRESH_SECONDS, max_entries=64)
def _of_request(request: SpeechRequest) -> costs.Expectation | None:
    try:
        voices = {voice.id: resources.pool().voice(voice) for voice in request.voices}
    except WorkbenchError:
        return None
    return expected(request.model, forecast.planned(request, voices), request.settings)
