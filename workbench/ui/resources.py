"""Objects that all visitors of the server share: engines, job manager, voices, runs. Each is made once."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine import collecting, upstream
from workbench.engine.cache import sweep_drafts
from workbench.engine.catalog import DEMO_VOICE, get_model
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import JobManager
from workbench.engine.logs import pairs
from workbench.engine.runs.store import sweep_leftovers
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.recordings import library
from workbench.engine.speech.recordings.bundled import BundledVoice
from workbench.engine.speech.recordings.reading import vocabulary_of
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice
from workbench.ui import first_page
from workbench.ui.kept import Kept
from workbench.ui.uploads import Uploads

if TYPE_CHECKING:  # synthesis imports torch
    from workbench.engine.speech.results import Run
    from workbench.engine.speech.synthesis import Engine

log = logging.getLogger("workbench.ui")

_OF_PAGES = ("plotly.subplots", "scipy.signal", "scipy.optimize")  # large, and drawn with by other pages


@dataclass
class Preload:
    """State of the loading that the server starts before the first visit.

    Attributes:
        doing: current activity in words; "ready" or "failed" at the end.
        error: why it failed.
        began: ``time.perf_counter()`` at the start.
        ended: ``time.perf_counter()`` at the end; 0 before.
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
        """Seconds since the start, or the whole time if it has ended."""
        return (self.ended or time.perf_counter()) - self.began


@st.cache_resource(show_spinner=False)
def preload_state() -> Preload:
    """Return the one preload state of this server."""
    return Preload()


@st.cache_resource(show_spinner=False)
def pool() -> EnginePool:
    """Return the engines and voices of this server."""
    return EnginePool()


@st.cache_resource(show_spinner=False)
def job_manager() -> JobManager:
    """Return the one job manager of this server."""
    return JobManager(pool())


# Engines -------------------------------------------------------------------------------------------------------------


def default_model() -> str:
    """Return the name of the model to load first: ``$WORKBENCH_MODEL``, or the demo voice."""
    return os.environ.get("WORKBENCH_MODEL") or DEMO_VOICE


def engine(model: str | None = None) -> Engine:
    """Return the engine of ``model``. The first call loads it; calls meanwhile wait for the same engine.

    Raises:
        WorkbenchError: as ``synthesis.load_engine``. The next call tries again.
    """
    return pool().engine(model or default_model())


def engine_if_loaded(model: str | None = None) -> Engine | None:
    """Return the engine of ``model`` if it is in memory, else None, without waiting."""
    return pool().engine_if_loaded(model or default_model())


def request(
    text: str,
    voice: Voice,
    settings: SynthesisSettings,
    model: str | None = None,
    load: LoadSettings = LoadSettings(),
    *,
    reuse: bool = False,
) -> SpeechRequest:
    """Return the request of a page, with the script of a text that names voices; keep its voices for the job.

    Raises:
        WorkbenchError: the text is a script that cannot be spoken.
    """
    from workbench.ui.scripts.planning import scripted  # it plans with what is here

    named = model or default_model()
    return scripted(SpeechRequest(text, pool().remember(voice).ref, settings, named, load=load, reuse=reuse), voice)


@st.cache_data(show_spinner=False, ttl=60)
def usable_models(home: str) -> list[str]:
    """Return the names of the models with complete files on disk. ``home`` is only a key of the cache."""
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


def vocabulary(model: str) -> frozenset[str] | None:
    """Return the tokens of ``model``, by its engine or its file; None if neither is here."""
    loaded = engine_if_loaded(model)
    return frozenset(loaded.loaded.cfm.vocab_char_map) if loaded is not None else _vocabulary(str(home()), model)


@st.cache_data(show_spinner=False, ttl=60)
def _vocabulary(home: str, model: str) -> frozenset[str] | None:
    try:
        return vocabulary_of(get_model(model))
    except WorkbenchError:
        return None


def weights_there(model: str) -> tuple[str, ...]:
    """Return which of "ema" and "raw" the file of ``model`` holds; () if it is not on this disk."""
    return _weights_there(str(home()), model)


@st.cache_data(show_spinner=False, ttl=60)
def _weights_there(home: str, model: str) -> tuple[str, ...]:
    from workbench.engine import cache

    try:
        return cache.read_contents(cache.resolve(get_model(model)).weights).layers.kinds
    except WorkbenchError:
        return ()


def files_changed() -> None:
    """Read the files of all models again when they are next asked for."""
    for known in (usable_models, _vocabulary, _weights_there):
        known.clear()


def warm() -> None:
    """Import, load and warm up the first model; report to ``preload_state``. Runs in a thread of the server."""
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
        threading.Thread(target=_warm_in_turn, name="preload", daemon=True).start()


def _warm_in_turn() -> None:
    """Run ``warm`` once the first page is drawn, then import what other pages draw with."""
    collecting.pause()
    try:
        first_page.wait()
        warm()
        for name in _OF_PAGES:
            importlib.import_module(name)
        collecting.spare()
    finally:
        collecting.resume()
    if not preload_state().error:
        engine().compile_ahead()


# Voices --------------------------------------------------------------------------------------------------------------


@st.cache_data(show_spinner=False, max_entries=4)
def _voices(stamp: int) -> list[BundledVoice]:
    return library.list_voices()


def bundled_voices() -> list[BundledVoice]:
    """Return the bundled voices, the default one first, then those saved under a name."""
    return _voices(library.stamp())


@st.cache_resource(show_spinner=False, max_entries=32)
def _voice(name: str, stamp: int) -> Voice:
    return load_voice(name)


def bundled_voice(name: str) -> Voice:
    """Return the bundled or saved voice ``name``, prepared once.

    Raises:
        VoiceError: there is no such voice, or it is damaged.
    """
    return _voice(name, library.stamp())


@st.cache_resource(show_spinner=False)
def uploads() -> Uploads:
    """Return the uploaded recordings of this server."""
    return Uploads()


def default_voice() -> Voice:
    """Return the first bundled voice."""
    return bundled_voice(bundled_voices()[0].name)


def remember_voice(voice: Voice) -> Voice:
    """Keep a voice in memory for requests that name it; return it."""
    return pool().remember(voice)


def voice_of_run(run_id: str) -> Voice:
    """Return the voice of a saved run: from the recording stored with the run, else from memory or the bundled ones.

    Raises:
        RunError: the run does not exist or is damaged.
        VoiceError: no recording of this voice was found.
    """
    run = saved_run(run_id)
    return pool().voice(run.request.main_voice or run.request.voice, run.mel_config)


def voice_of(run: Run) -> Voice:
    """Return the voice of ``run``. Raises VoiceError if no recording of it was found."""
    return pool().voice(run.request.voice, run.mel_config)


# Runs ----------------------------------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def kept() -> Kept:
    """Runs and what was computed of them, for all pages together."""
    return Kept()


def saved_run(run_id: str, *, trajectories: bool = False) -> Run:
    """Return a run from disk, read once while there is room for it; with the ODE's states only if ``trajectories``.

    Raises:
        RunError: the run does not exist or is damaged.
    """
    from workbench.engine.runs.store import load_run, run_folder, version_of

    key = ("run", run_id, trajectories, version_of(run_folder(run_id)))
    return kept().get(key, lambda: load_run(run_id, trajectories=trajectories), versions_of=3)
