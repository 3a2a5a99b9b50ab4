"""The engine: it makes speech and mel from a text and a voice, and measures every stage.

``synthesize`` is a generator of ``ChunkResult``. Everything else collects its chunks: command line, notebooks, pages
and sweeps use one code path, for one chunk and for many.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from workbench.engine import rules
from workbench.engine.catalog import get_model
from workbench.engine.errors import SettingsError, VoiceError, WorkbenchError
from workbench.engine.ids import new_id
from workbench.engine.logs import pairs
from workbench.engine.model.backends import equality_of
from workbench.engine.model.devices import environment
from workbench.engine.model.loading import Loaded, load_counts
from workbench.engine.model.loading import load as read_models
from workbench.engine.model.random_weights import build as build_random
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.assembling import BeginLongRun, Shelf, assemble, finder
from workbench.engine.speech.passages.planning import part_of, plan_script, rewritten, with_refs
from workbench.engine.speech.passages.remaking import replanned
from workbench.engine.speech.requests import Remake, SpeechRequest
from workbench.engine.speech.results import ChunkResult, Run, in_memory
from workbench.engine.speech.speaker import OnStep, Speaker
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.turns import refuse_after_fork
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Timeline

log = logging.getLogger("workbench.synthesis")

OnChunk = Callable[[ChunkResult], None]
NOBODY: Mapping[str, Voice] = MappingProxyType({})


class Engine(Speaker):
    """Models in memory, and the way to use them. Thread-safe: chunks are made one at a time.

    Args:
        loaded: from ``loading.load``.
        keep: called with each run that ``run`` and ``remake`` finish; that of ``workbench.load_engine`` saves it.

    ``default_on_step`` makes the ``on_step`` of runs that have none; notebooks put a progress bar there.
    ``shelf`` holds the chunks for requests that may reuse them; the pool of engines puts a ``ChunkStore`` there.
    ``begin_long`` keeps the chunks of long runs on disk; without it, all of them are in memory.
    """

    default_on_step: ClassVar[staticmethod[[], OnStep | None]] = staticmethod(lambda: None)

    def __init__(self, loaded: Loaded, keep: Callable[[Run], object] | None = None) -> None:
        super().__init__(loaded)
        self.loaded_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.n_runs = 0
        self.keep = keep
        self.shelf: Shelf | None = None
        self.begin_long: BeginLongRun | None = None

    @property
    def load_seconds(self) -> float:
        """Seconds of loading, including the warm-up."""
        return sum(span.seconds for span in self.loaded.spans)

    def run(
        self,
        text: str,
        voice: Voice,
        settings: SynthesisSettings = SynthesisSettings(),
        *,
        on_step: OnStep | None = None,
        on_chunk: OnChunk | None = None,
        save: bool = True,
        reuse: bool = False,
    ) -> Run:
        """Speak all of ``text``. Raises as ``synthesize``.

        Args:
            text: text to speak.
            voice: the voice.
            settings: knobs of synthesis.
            on_step: as in ``synthesize``.
            on_chunk: called with each finished chunk.
            save: keep the run on disk, if this engine came from ``workbench.load_engine``. One that was loaded to
                measure or to check something keeps none.
            reuse: take chunks that were made before from those that are kept; off, so that what is measured was made.
        """
        request = self.request(text, voice, settings).replace(reuse=reuse)
        begin = self.begin_long if save else None
        return self.kept(self.fulfil(request, voice, on_step=on_step, on_chunk=on_chunk, begin_long=begin), save)

    def remake(
        self,
        run: Run,
        voice: Voice,
        index: int,
        *,
        text: str | None = None,
        seed: int | None = None,
        on_step: OnStep | None = None,
        save: bool = True,
    ) -> Run:
        """Return ``run`` with chunk ``index`` made again, with another ``text`` or ``seed``; the other chunks stay.

        Raises:
            SettingsError: there is no such chunk, or the new text does not fit into one chunk.
            VoiceError: ``voice`` is not the voice of the run.
        """
        request = run.request.replace(remake=Remake(run.id, index, seed, text), profile=False)
        return self.kept(self.fulfil(request, voice, base=run, on_step=on_step), save)

    def request(self, text: str, voice: Voice, settings: SynthesisSettings = SynthesisSettings()) -> SpeechRequest:
        """What ``run`` with these arguments asks for, this engine's model and how it was loaded included."""
        model, random = self.loaded.spec.name, self.loaded.files is None
        return SpeechRequest(text, voice.ref, settings, model, self.loaded.folder, random, self.loaded.chosen)

    def planned(
        self, request: SpeechRequest, voice: Voice, base: Run | None = None, voices: Mapping[str, Voice] = NOBODY
    ) -> list[Chunk]:
        """Return the chunks that ``fulfil`` makes: those of the text, or the one to make again in ``base``.

        Raises:
            TextError, SettingsError, VoiceError: the request cannot be spoken, or does not fit ``base``.
        """
        if request.remake is None and request.script is not None:
            return plan_script(request, voices, self.prepare, self.loaded.window_frames)
        if request.remake is None:
            return self.plan(request.text, voice, request.settings)
        if base is None:
            raise SettingsError(f"The run {request.remake.run} is not available.", remedy="Choose another run.")
        return [self._remade(request.remake, voice, base, voices)]

    def fulfil(
        self,
        request: SpeechRequest,
        voice: Voice,
        *,
        base: Run | None = None,
        chunks: Sequence[Chunk] | None = None,
        on_step: OnStep | None = None,
        on_chunk: OnChunk | None = None,
        run_id: str | None = None,
        begin_long: BeginLongRun | None = None,
        timeline: Timeline | None = None,
        made: Callable[[Chunk], ChunkResult] | None = None,
        voices: Mapping[str, Voice] = NOBODY,
        skip_failed: bool = False,
        keep_all: bool = False,
    ) -> Run:
        """Speak ``request`` and return the run without saving it. ``run``, ``remake`` and all jobs use this.

        Args:
            request: what to speak, with this engine's model.
            voice: voice of the request.
            base: the run whose chunk is made again.
            chunks: of an earlier plan; planned now if not given.
            on_step, on_chunk: as in ``run``.
            run_id: names the run in the log and on disk; by default it is made from the time.
            begin_long: keeps the chunks of a run with more than ``rules.LONG_RUN_CHUNKS`` on disk.
            timeline: takes the spans, for a caller who needs to know when it began.
            made: returns the result of a chunk that others make, instead of making it here.
            voices: name of each speaker of a script to the voice.
            skip_failed: as in ``synthesize``.
            keep_all: ``begin_long`` keeps the chunks of every run with several.
        """
        chunks = self.planned(request, voice, base, voices) if chunks is None else chunks
        others = [*{one.id: one for one in voices.values() if one.id != voice.id}.values()]
        request = with_refs(request, [voice, *others])
        timeline, on_step = timeline or Timeline(self.loaded.synchronize), on_step or self.default_on_step()
        run_id = run_id or new_id()
        here = environment() | {"backend": self._backend_of(base if request.remake else None)}
        is_long = len(chunks) > rules.LONG_RUN_CHUNKS
        if request.remake is not None or not (is_long or (keep_all and len(chunks) > 1)):
            begin_long = None
        results, first_audio = [], 0.0
        with (
            begin_long(run_id, request, voice, self.loaded, chunks, here, others)
            if begin_long
            else nullcontext() as parts
        ):
            for result in self.synthesize(
                request.text, voice, request.settings, chunks=chunks, on_step=on_step, timeline=timeline,
                shelf=self.shelf if request.reuse and not request.profile else None,
                find=finder(parts, made, timeline), skip_failed=skip_failed,
                part=partial(part_of, request, voices) if request.script else None,
            ):  # fmt: skip
                first_audio = first_audio or timeline.now()
                if parts is not None:
                    with timeline.span("keep", result.chunk.index):
                        kept = parts.keep(result)
                    result = kept if is_long else result
                results.append(result if is_long else in_memory(result))
                if on_chunk:
                    on_chunk(result)
        if request.remake is not None and base is not None:
            (new,) = results
            results = [new if i == new.chunk.index else kept for i, kept in enumerate(base.chunks)]
            first_audio = results[0].timing.total_seconds
            changed = request.remake.words is not None
            old = base.chunks[new.chunk.index].chunk
            chunks = [result.chunk for result in results] if changed else []
            request = rewritten(request, base.request, old, new.chunk, chunks)
        here |= {"backend": self._backend_of(base if request.remake else None)}  # known after the first evaluation
        run = assemble(
            request, voice, self.loaded, results, timeline, first_audio,
            run_id=run_id, loads=load_counts(self.loaded.spec.name), environment=here, others=others,
            resumed=parts is not None and parts.n_found > 0,
        )  # fmt: skip
        self.n_runs += 1
        log.info(
            "run finished",
            extra=pairs(id=run.id, chunks=len(results), reused=run.n_reused, audio=run.audio_seconds,
                        took=run.total_seconds, rtf=run.rtf, loads=run.loads),
        )  # fmt: skip
        return run

    def _backend_of(self, base: Run | None) -> str:
        """The backend as a run records it: this engine's, and that of the kept chunks where their samples differ."""
        mine = self.loaded.backend.recorded
        kept = base.environment.get("backend", mine) if base else mine
        return mine if equality_of(kept) == equality_of(mine) else f"{kept} + {mine}"

    def kept(self, run: Run, save: bool) -> Run:
        """Save ``run`` if wanted, and return it; warn if it cannot be saved."""
        if save and self.keep is not None:
            try:
                self.keep(run)
            except WorkbenchError as error:
                warnings.warn(f"The run is in memory only. {error}", stacklevel=3)
        return run

    def _remade(self, wanted: Remake, voice: Voice, base: Run, voices: Mapping[str, Voice]) -> Chunk:
        """Return the plan of the chunk to make again."""
        if not 0 <= wanted.chunk < len(base.chunks):
            raise SettingsError(f"There is no chunk {wanted.chunk + 1}.", remedy=f"Choose 1 to {len(base.chunks)}.")
        if voice.id != base.voice_id:
            raise VoiceError(f"The run was spoken by {base.voice!r}.", remedy="Remake its chunks with the same voice.")
        old = base.chunks[wanted.chunk].chunk
        speaker, settings = part_of(base.request, voices, old) if base.request.script else (voice, base.settings)
        return replanned(wanted, speaker, settings, old, self.prepare, self.loaded.window_frames)

    def take(self, request: SpeechRequest, voice: Voice, old: Chunk, *, on_step: OnStep | None = None) -> ChunkResult:
        """Return ``old`` made again as ``request.remake`` says. Nothing is saved, and no run is made.

        It sounds as it would in a run of ``request`` with this seed. Raises as ``remaking.replanned``.
        """
        settings = request.settings_of(old.passage)
        wanted = request.remake or Remake("", old.index)
        chunk = replanned(wanted, voice, settings, old, self.prepare, self.loaded.window_frames)
        (made,) = self.synthesize(
            request.text, voice, settings, chunks=[chunk], on_step=on_step or self.default_on_step(),
            shelf=self.shelf if request.reuse else None,
        )  # fmt: skip
        return made


def load_engine(
    model: str = "demo-voice",
    *,
    folder: str | Path | None = None,
    load: LoadSettings = LoadSettings(),
    random_weights: bool = False,
    keep: Callable[[Run], object] | None = None,
    **changes: Any,
) -> Engine:
    """Load a model once and return the engine that speaks with it.

    Args:
        model: name in the catalogue.
        folder: where to look for its files before the caches.
        load: device and number format.
        random_weights: build the architecture with random weights, to measure its speed.
        keep: called with each finished run to save it; without it, the caller saves runs.
        changes: fields of ``load`` by name: ``load_engine(device="cpu", dtype="fp32")``.

    Raises:
        ModelError: unknown model.
        WeightsError: its files are not on this disk, or not what they should be.
        DeviceError: no such device here.
        EngineError: this process was forked from one with PyTorch in it.
    """
    refuse_after_fork()
    began = time.perf_counter()
    spec = get_model(model)
    built = partial(build_random, spec, 0) if random_weights else None
    loaded = read_models(spec, load.replace(**changes), folder=Path(folder) if folder else None, built=built)
    log.info("engine ready", extra=pairs(model=loaded.spec.name, took=time.perf_counter() - began))
    return Engine(loaded, keep)
