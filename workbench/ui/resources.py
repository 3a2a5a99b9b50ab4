"""What all visitors of the server share: engines, the job manager, voices, runs. One of each, whoever asks first."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine import upstream
from workbench.engine.cache import sweep_drafts
from workbench.engine.catalog import DEMO_VOICE
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import JobManager
from workbench.engine.logs import pairs
from workbench.engine.runs.store import sweep_leftovers
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.bundled import BundledVoice, list_voices
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice

if TYPE_CHECKING:  # both import torch
    from workbench.engine.speech.results import Run
    from workbench.engine.speech.synthesis import Engine

log = logging.getLogger("workbench.ui")


@dataclass
class Preload:
    """What the server does before the first visitor asks for anything.

    Attributes:
        doing: in words; "ready" or "failed" at the end.
        error: why it failed.
    """

    doing: str = "not started"
    error: str = ""
    began: float = field(default_factory=time.perf_counter)
    ended: float = 0.0

    @property
    def is_ready(self) -> bool:
        return self.doing == "ready"

    @property
    def is_active(self) -> bool:
        return self.doing not in ("not started", "ready", "failed")

    @property
    def seconds(self) -> float:
        """Since it began, or as long as it took."""
        return (self.ended or time.perf_counter()) - self.began


@st.cache_resource(show_spinner=False)
def preload_state() -> Preload:
    """The one preload of this server."""
    return Preload()


@st.cache_resource(show_spinner=False)
def pool() -> EnginePool:
    """The engines and voices of this server."""
    return EnginePool()


@st.cache_resource(show_spinner=False)
def job_manager() -> JobManager:
    """The one job manager of this server."""
    return JobManager(pool())


# Engines -------------------------------------------------------------------------------------------------------------


def default_model() -> str:
    """The model that is loaded first: ``$WORKBENCH_MODEL``, or the demo voice."""
    return os.environ.get("WORKBENCH_MODEL") or DEMO_VOICE


def engine(model: str | None = None) -> Engine:
    """The engine of ``model``, loaded by the first who asks; the others wait for the same one.

    Raises:
        WorkbenchError: as ``synthesis.load_engine``. The next call tries again.
    """
    return pool().engine(model or default_model())


def engine_if_loaded(model: str | None = None) -> Engine | None:
    """The engine of ``model`` if it is in memory, else None: for pages that must not wait."""
    return pool().engine_if_loaded(model or default_model())


def request(text: str, voice: Voice, settings: SynthesisSettings, model: str | None = None) -> SpeechRequest:
    """What a page asks for; the voice is kept in memory for it."""
    return SpeechRequest(text, pool().remember(voice).ref, settings, model or default_model())


@st.cache_data(show_spinner=False, ttl=60)
def usable_models(home: str) -> list[str]:
    """Names of the models whose files are whole on this disk. ``home`` is there for the cache: it may move."""
    from workbench.engine import cache
    from workbench.engine.catalog import list_models

    found = []
    for spec in list_models():
        try:
            cache.resolve(spec)
        except WorkbenchError:
            continue
        found.append(spec.name)
    return found


def warm() -> None:
    """Import, load and warm up, telling ``preload_state`` what is being done. Runs in a thread of the server."""
    state = preload_state()
    state.began = time.perf_counter()
    try:
        sweep_leftovers()
        sweep_drafts()
        state.doing = "importing PyTorch"
        upstream.install()
        state.doing = f"reading the weights of {default_model()}, building and warming up"
        engine()
        state.doing = "preparing the reference voice"
        _ = default_voice().mel
    except WorkbenchError as error:
        log.warning("preload failed: %s", error)
        state.error, state.doing = str(error), "failed"
    except Exception as error:
        log.exception("preload failed")
        state.error, state.doing = f"{type(error).__name__}: {error}", "failed"
    else:
        state.doing = "ready"
        log.info("preload ready", extra=pairs(took=time.perf_counter() - state.began))
    state.ended = time.perf_counter()


def warm_in_background() -> None:
    """Start ``warm`` in a thread, once."""
    state = preload_state()
    if state.doing == "not started":
        state.doing = "starting"
        threading.Thread(target=warm, name="preload", daemon=True).start()


# Voices --------------------------------------------------------------------------------------------------------------


@st.cache_data(show_spinner=False)
def bundled_voices() -> list[BundledVoice]:
    """The bundled voices, the default one first."""
    return list_voices()


@st.cache_resource(show_spinner=False, max_entries=32)
def bundled_voice(name: str) -> Voice:
    """The bundled voice ``name``, prepared once.

    Raises:
        VoiceError: no such voice.
    """
    return load_voice(name)


def default_voice() -> Voice:
    """The voice a new page begins with: the first bundled one."""
    return bundled_voice(bundled_voices()[0].name)


def remember_voice(voice: Voice) -> Voice:
    """Keep a voice in memory, for the requests that name it."""
    return pool().remember(voice)


def voice_of_run(run_id: str) -> Voice:
    """The voice that spoke a saved run: the recording that lies with the run, else one that is in memory or bundled.

    Raises:
        RunError: no such run, or damaged.
        VoiceError: its recording is not at hand.
    """
    return voice_of(saved_run(run_id))


def voice_of(run: Run) -> Voice:
    """The voice of ``run``. Raises VoiceError: its recording is not at hand."""
    return pool().voice(run.request.voice, run.mel_config)


# Runs ----------------------------------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False, max_entries=8)
def _saved_run(run_id: str, version: tuple[int, ...]) -> Run:
    from workbench.engine.runs.store import load_run

    return load_run(run_id, trajectories=False)


def saved_run(run_id: str) -> Run:
    """A run from disk, without trajectories, read once.

    Raises:
        RunError: no such run, or its files are damaged.
    """
    from workbench.engine.runs.store import run_folder, version_of

    return _saved_run(run_id, version_of(run_folder(run_id)))
