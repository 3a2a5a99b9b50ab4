"""Keep engines and voices in memory, load each once, and speak requests with them."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.engine import collecting
from workbench.engine.jobs import profiling
from workbench.engine.monitor import Monitor
from workbench.engine.reuse.store import ChunkStore
from workbench.engine.runs.parts.making import begin
from workbench.engine.runs.store import load_run, save_run
from workbench.engine.settings import LoadSettings, MelConfig
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.engine.speech.voices import Voice, restore_voice
from workbench.engine.timing import Progress, Sample, Timeline

if TYPE_CHECKING:  # synthesis imports torch
    from workbench.engine.speech.results import ChunkResult, Run
    from workbench.engine.speech.synthesis import Engine
    from workbench.engine.speech.text import Chunk

log = logging.getLogger("workbench.jobs")

ENGINES_KEPT = 2  # two models can be compared; a third would fill the memory of most machines
VOICES_KEPT = 32
_Key = tuple[str, str, bool, LoadSettings]


class EnginePool:
    """Engines in memory by model, folder, random weights and load settings, and voices by their id. Thread-safe.

    Args:
        engines_kept: largest number of engines in memory; the least recently used one is released first.
    """

    def __init__(self, engines_kept: int = ENGINES_KEPT) -> None:
        self._engines: OrderedDict[_Key, Engine] = OrderedDict()
        self._voices: OrderedDict[tuple[str, MelConfig], Voice] = OrderedDict()
        self._limit = engines_kept
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def engine(
        self, model: str, folder: str = "", random_weights: bool = False, load: LoadSettings = LoadSettings()
    ) -> Engine:
        """Return the engine. The first call loads it; calls meanwhile wait for the same engine.

        Raises:
            WorkbenchError: as ``synthesis.load_engine``. The next call tries again.
        """
        key = (model, folder, random_weights, load)
        found = self._find(key)
        if found is not None:
            return found
        with self._loading:
            found = self._find(key)
            if found is None:
                with collecting.paused():
                    from workbench.engine.speech import synthesis

                    found = synthesis.load_engine(
                        model, folder=folder or None, load=load, random_weights=random_weights
                    )
                found.shelf = ChunkStore()
                self._keep(key, found)
        return found

    def engine_if_loaded(
        self, model: str, folder: str = "", random_weights: bool = False, load: LoadSettings = LoadSettings()
    ) -> Engine | None:
        """Return the engine if it is in memory, else None, without waiting."""
        return self._find((model, folder, random_weights, load))

    def engine_for(self, request: SpeechRequest) -> Engine:
        """Return the engine for ``request``. Raises as ``engine``."""
        return self.engine(*request.engine_key)

    def add(self, engine: Engine) -> Engine:
        """Keep an engine that is already loaded; return it."""
        loaded = engine.loaded
        self._keep((loaded.spec.name, loaded.folder, loaded.files is None, loaded.chosen), engine)
        return engine

    def _find(self, wanted: _Key) -> Engine | None:
        with self._lock:
            for key, engine in self._engines.items():
                if key[:3] == wanted[:3] and _fits(key[3], engine, wanted[3]):
                    self._engines.move_to_end(key)
                    return engine
        return None

    def _keep(self, key: _Key, engine: Engine) -> None:
        with self._lock:
            self._engines[key] = engine
            while len(self._engines) > self._limit:
                (model, *_), _released = self._engines.popitem(last=False)
                log.info("engine released model=%s", model)

    def remember(self, voice: Voice) -> Voice:
        """Keep a voice in memory, so that requests can name it by its id; return it."""
        with self._lock:
            self._voices[voice.id, voice.mel_config] = voice
            while len(self._voices) > VOICES_KEPT:
                self._voices.popitem(last=False)
        return voice

    def voice(self, wanted: VoiceRef, mel_config: MelConfig = MelConfig()) -> Voice:
        """Return the voice ``wanted``: from memory, else from its recording, else a bundled one.

        Raises:
            VoiceError, AudioError: as ``restore_voice``.
        """
        with self._lock:
            found = self._voices.get((wanted.id, mel_config))
        return found or self.remember(restore_voice(wanted, mel_config))

    def cast(self, request: SpeechRequest, mel_config: MelConfig = MelConfig()) -> dict[str, Voice]:
        """Return name to voice of the speakers of a script; {} for a request without one. Raises as ``voice``."""
        speakers = request.script.speakers if request.script else ()
        return {one.name: self.voice(one.voice, mel_config) for one in speakers}

    def speak(
        self,
        request: SpeechRequest,
        *,
        base: Run | None = None,
        on_plan: Callable[[list[Chunk]], None] | None = None,
        on_step: Callable[[Progress], None] | None = None,
        on_chunk: Callable[[ChunkResult], None] | None = None,
        run_id: str | None = None,
        made: Callable[[Chunk], ChunkResult] | None = None,
        skip_failed: bool = False,
        keep_all: bool = False,
    ) -> Run:
        """Speak ``request``, sample the use of the machine, and return the run without saving it.

        The chunks of a long run are on disk as soon as they are finished (``runs.parts.making``), and the same request
        continues after them. ``save_run`` makes a run of them.

        Args:
            request: what to speak; it is complete.
            base: the run whose chunk is made again; read from disk if not given.
            on_plan: called with the chunks before synthesis.
            on_step, on_chunk, run_id, made, skip_failed, keep_all: as in ``Engine.fulfil``.

        Raises:
            WorkbenchError: model, voice or run were not found, or the text cannot be spoken.
        """
        engine = self.engine_for(request)
        voice, voices = self.voice(request.voice, engine.loaded.spec.mel), self.cast(request, engine.loaded.spec.mel)
        if request.remake is not None and base is None:
            base = load_run(request.remake.run, trajectories=request.settings.keep_trajectory)
        chunks = engine.planned(request, voice, base, voices)
        if on_plan is not None:
            on_plan(chunks)

        def make() -> tuple[Run, float]:
            timeline = Timeline(engine.loaded.synchronize)
            with Monitor(engine.loaded.device) as monitor:
                run = engine.fulfil(
                    request, voice, base=base, chunks=chunks, on_step=on_step, on_chunk=on_chunk, run_id=run_id,
                    begin_long=begin, timeline=timeline, made=made, voices=voices, skip_failed=skip_failed,
                    keep_all=keep_all,
                )  # fmt: skip
            return dataclasses.replace(run, utilisation=_shifted_to_chunk(run, monitor.samples)), timeline.began

        if not request.profile or request.remake is not None:  # a remade run has no time axis of its own
            return make()[0]
        profiling.check_size(request.settings, len(chunks))
        run, trace = profiling.profiled(engine.loaded.device, make)
        return dataclasses.replace(run, profile=trace)


def _fits(asked: LoadSettings, engine: Engine, wanted: LoadSettings) -> bool:
    """Whether an engine that was loaded as ``asked`` fits ``wanted``: "auto" may have chosen the wanted device."""
    loaded = engine.loaded
    actual = asked.replace(
        device=loaded.device, dtype=loaded.dtype, backend=loaded.backend.name, weights=loaded.layer or asked.weights
    )
    pairs = {name: (value, actual.as_dict()[name]) for name, value in asked.as_dict().items()}
    return all(value in pairs[name] for name, value in wanted.as_dict().items())


def _shifted_to_chunk(run: Run, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return ``samples`` on the time axis of ``run``: shifted to the chunk that was made again."""
    if run.request.remake is None:
        return samples
    before = sum(c.timing.total_seconds for c in run.chunks[: run.request.remake.chunk])
    return tuple(dataclasses.replace(sample, seconds=sample.seconds + before) for sample in samples)


def load_engine(model: str = "demo-voice", **chosen: Any) -> Engine:
    """Load a model once and return its engine. The engine saves its runs in ``runs/``.

    ``engine.run(..., save=False)`` does not save.

    Args:
        model: name in the catalogue.
        chosen: fields of ``LoadSettings`` by name, such as ``device="cpu", dtype="fp32"``; ``folder``, searched for
            the model's files before the caches; ``load`` and ``random_weights``, as in ``synthesis.load_engine``.

    Raises:
        ModelError, WeightsError, DeviceError, EngineError: as ``synthesis.load_engine``.
    """
    with collecting.paused():
        from workbench.engine.speech import synthesis

        engine = synthesis.load_engine(model, keep=save_run, **chosen)
    engine.shelf, engine.begin_long = ChunkStore(), begin
    return engine
