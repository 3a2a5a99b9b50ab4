"""The engine: text and a voice in; speech, mel and the time of every stage out.

``synthesize`` is the primitive, a generator of ``ChunkResult``. Everything else collects it: one code path
for one chunk and for many, for the command line, the notebooks, the pages and the sweeps.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from workbench.engine import rules
from workbench.engine.catalog import get_model
from workbench.engine.errors import SettingsError, VoiceError
from workbench.engine.logs import pairs
from workbench.engine.model.loading import Loaded, load
from workbench.engine.model.random_weights import build as build_random
from workbench.engine.model.sampling import Flow, solve, text_embedded
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.assembly import assemble, note_chunk
from workbench.engine.speech.preparing import Prepared, prepare
from workbench.engine.speech.results import ChunkResult, Run
from workbench.engine.speech.text import Chunk, conditioning_text, n_bytes, number_languages, plan_chunks, text_of
from workbench.engine.speech.turns import Turn, refuse_after_fork
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Progress, Timeline

log = logging.getLogger("workbench.synthesis")
_REFERENCES_KEPT = 8


OnStep = Callable[[Progress], None]


class Engine:
    """Models in memory and the one way to use them. Safe to share between threads: chunks are made one at a time.

    Args:
        loaded: from ``loading.load``.

    ``default_on_step`` makes the ``on_step`` of runs that have none; notebooks put a progress bar there.
    """

    default_on_step: ClassVar[staticmethod[[], OnStep | None]] = staticmethod(lambda: None)

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.loaded_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.n_runs = 0
        self._turn = Turn()
        self._references: OrderedDict[tuple[str, float], torch.Tensor] = OrderedDict()

    @property
    def load_seconds(self) -> float:
        """What loading took, warm-up included."""
        return sum(span.seconds for span in self.loaded.spans)

    def plan(self, text: str, voice: Voice, settings: SynthesisSettings = SynthesisSettings()) -> list[Chunk]:
        """The chunks of ``text``, their lengths and warnings, before any synthesis.

        Raises:
            TextError: the text cannot be spoken by this model.
            SettingsError: the settings leave no room for it.
        """
        prepared = self.prepare(text, voice, settings).check()
        return plan_chunks(
            prepared, voice.ref_text, len(voice.audio), settings, self.loaded.spec.mel, self.loaded.window_frames
        )

    def prepare(self, text: str, voice: Voice, settings: SynthesisSettings = SynthesisSettings()) -> Prepared:
        """What becomes of ``text`` on its way to this model: changes, offers, numbers as words, what it cannot speak.

        Raises:
            TextError: a pause without a length.
        """
        languages = number_languages(self.loaded.spec.languages, voice.language, settings)
        return prepare(text, self.loaded.cfm.vocab_char_map, languages, unknown=self.loaded.unknown)

    def synthesize(
        self,
        text: str,
        voice: Voice,
        settings: SynthesisSettings = SynthesisSettings(),
        *,
        chunks: Sequence[Chunk] | None = None,
        on_step: OnStep | None = None,
        timeline: Timeline | None = None,
    ) -> Iterator[ChunkResult]:
        """Speak ``text``, one chunk at a time, in order.

        Args:
            text: what to say.
            voice: who says it.
            settings: how.
            chunks: of an earlier ``plan``, or some of them; planned anew if not given.
            on_step: called before the first and after every ODE step. Raise from it (``errors.Cancelled``) to stop.
            timeline: where to note the spans.

        Yields:
            ChunkResult: wave and mel depend on chunk, voice, settings and seed alone, not on the other chunks: equal to
                the last bit on one machine with one number of threads (``Run.environment["threads"]``). Another
                number adds up in another order.

        Raises:
            TextError, SettingsError: before the first chunk.
            EngineError: called from within ``on_step``, or after a fork.
        """
        if chunks is None:
            chunks = self.plan(text, voice, settings)
        if voice.mel_config != self.loaded.spec.mel:
            raise VoiceError(
                f"The voice {voice.name!r} was prepared for another mel than {self.loaded.spec.name}'s.",
                remedy="Prepare it with the model's mel configuration.",
            )
        timeline = timeline or Timeline(self.loaded.synchronize)
        keep_bytes = rules.TRAJECTORY_MAX_BYTES // max(len(chunks), 1) if settings.keep_trajectory else 0
        for position, chunk in enumerate(chunks):
            report = _stepper(on_step, position, len(chunks))
            with self._turn:
                cond = self._reference(voice, settings.target_rms, timeline)
                result = self._speak(chunk, voice, cond, settings, timeline, report, keep_bytes)
            log.info(
                "chunk spoken",
                extra=pairs(
                    index=chunk.index,
                    bytes=chunk.n_bytes,
                    audio=result.audio_seconds,
                    took=result.timing.total_seconds,
                    rtf=result.rtf,
                ),
            )
            yield result

    def run(
        self,
        text: str,
        voice: Voice,
        settings: SynthesisSettings = SynthesisSettings(),
        *,
        on_step: OnStep | None = None,
        on_chunk: Callable[[ChunkResult], None] | None = None,
        run_id: str | None = None,
    ) -> Run:
        """Speak all of ``text``. ``on_chunk`` is called with each chunk as it is finished. Raises as ``synthesize``.

        ``run_id`` names the run in the log and on disk; by default it is made from the time.
        """
        timeline, on_step = Timeline(self.loaded.synchronize), on_step or self.default_on_step()
        results, first_audio = [], 0.0
        for result in self.synthesize(text, voice, settings, on_step=on_step, timeline=timeline):
            first_audio = first_audio or timeline.now()
            results.append(result)
            if on_chunk:
                on_chunk(result)
        return self._collect(text, voice, settings, results, timeline, first_audio, run_id)

    def remake(
        self,
        run: Run,
        voice: Voice,
        index: int,
        *,
        text: str | None = None,
        seed: int | None = None,
        on_step: OnStep | None = None,
        run_id: str | None = None,
    ) -> Run:
        """``run`` with chunk ``index`` spoken again, with another ``text`` or ``seed``; the others stay as they are.

        Raises:
            SettingsError: no such chunk.
        """
        if not 0 <= index < len(run.chunks):
            raise SettingsError(f"There is no chunk {index}.", remedy=f"Choose 0 to {len(run.chunks) - 1}.")
        if voice.id != run.voice_id:
            raise VoiceError(f"The run was spoken by {run.voice!r}.", remedy="Remake its chunks with the same voice.")
        old = run.chunks[index].chunk
        words = text.strip() if text is not None else old.text
        chosen = run.settings.replace(
            max_chunk_bytes=None, fix_duration=None if text is not None else run.settings.fix_duration
        )
        new = old if words == old.text else self._as_one_chunk(words, voice, chosen, old)
        seed = old.seed if seed is None else seed
        new = dataclasses.replace(
            new, index=index, seed=seed, pause_seconds=old.pause_seconds, lead_seconds=old.lead_seconds
        )
        timeline = Timeline(self.loaded.synchronize)
        result = next(self.synthesize(words, voice, run.settings, chunks=[new], on_step=on_step, timeline=timeline))
        results = [result if i == index else chunk for i, chunk in enumerate(run.chunks)]
        joined = text_of([r.chunk for r in results]) if text is not None else run.text
        return self._collect(joined, voice, run.settings, results, timeline, timeline.now(), run_id)

    def decode(self, mel: np.ndarray) -> np.ndarray:
        """The vocoder alone: float32 [n_samples] of a natural-log ``mel`` [frames, n_mels], at the mel's own level."""
        with self._turn, torch.inference_mode():
            on_device = torch.from_numpy(np.array(mel, dtype=np.float32)).to(self.loaded.device)
            wave: np.ndarray = self.loaded.vocoder.decode(on_device.T[None])[0].cpu().numpy()
        return wave

    def _as_one_chunk(self, words: str, voice: Voice, settings: SynthesisSettings, old: Chunk) -> Chunk:
        prepared = self.prepare(words, voice, settings).check()
        planned = plan_chunks(
            prepared,
            voice.ref_text,
            len(voice.audio),
            settings.replace(max_chunk_bytes=max(10, min(2000, n_bytes(prepared.said())))),
            self.loaded.spec.mel,
            self.loaded.window_frames,
        )
        if len(planned) != 1:
            raise SettingsError(
                f"The new words do not fit into one chunk (chunk {old.index} has {old.n_bytes} bytes).",
                remedy="Shorten them.",
            )
        return planned[0]

    def _reference(self, voice: Voice, target_rms: float, timeline: Timeline) -> torch.Tensor:
        """Mel of the reference on the device, computed once for each voice and level."""
        key = (voice.id, target_rms)
        if key not in self._references:
            with timeline.span("reference_mel"):
                default = SynthesisSettings().target_rms
                mel = voice.mel if target_rms == default else voice.mel_at(target_rms)
                self._references[key] = torch.from_numpy(mel.copy()).to(self.loaded.device)
            while len(self._references) > _REFERENCES_KEPT:
                self._references.popitem(last=False)
        self._references.move_to_end(key)
        return self._references[key]

    def _speak(
        self,
        chunk: Chunk,
        voice: Voice,
        cond: torch.Tensor,
        settings: SynthesisSettings,
        timeline: Timeline,
        report: Callable[[int, int], None],
        keep_bytes: int,
    ) -> ChunkResult:
        """One chunk: text, ODE, vocoder."""
        began = timeline.now()
        with torch.inference_mode():
            tokens = self.loaded.tokens(conditioning_text(voice.ref_text) + chunk.text)
            flow = Flow(self.loaded.cfm, cond, tokens, chunk.duration_frames, settings.cfg_strength)
            with text_embedded(flow):
                embedded = timeline.now()
                solution = solve(
                    flow, settings, chunk.seed, voice.frames, on_step=report, clock=timeline.now, keep_bytes=keep_bytes
                )
            solved = timeline.now()
            wave = self.loaded.vocoder.decode(solution.mel.T[None])[0]
            wave = (wave / voice.gain(settings.target_rms)).cpu().numpy()
            mel = solution.mel.cpu().numpy()
        ended = timeline.now()
        timing = note_chunk(timeline, chunk.index, began, embedded, solved, ended, solution)
        rate = self.loaded.spec.mel.target_sample_rate
        return ChunkResult(chunk, chunk.seed, np.ascontiguousarray(wave), mel, solution.trajectory, timing, rate)

    def _collect(
        self,
        text: str,
        voice: Voice,
        settings: SynthesisSettings,
        results: list[ChunkResult],
        timeline: Timeline,
        first_audio: float,
        run_id: str | None,
    ) -> Run:
        run = assemble(self.loaded, text, voice, settings, results, timeline, first_audio, run_id)
        self.n_runs += 1
        log.info(
            "run finished",
            extra=pairs(
                id=run.id,
                chunks=len(results),
                audio=run.audio_seconds,
                took=run.total_seconds,
                rtf=run.rtf,
                loads=run.loads,
            ),
        )
        return run


def _stepper(on_step: OnStep | None, position: int, n_chunks: int) -> Callable[[int, int], None]:
    if on_step is None:
        return lambda step, n_steps: None
    return lambda step, n_steps: on_step(Progress(position, n_chunks, step, n_steps))


def load_engine(
    model: str = "demo-voice",
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    random_weights: bool = False,
) -> Engine:
    """Load a model once and return the engine that speaks with it.

    Args:
        model: name in the catalogue.
        folder: where to look for its files before the caches.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "fp32", "fp16" or "bf16".
        random_weights: build the architecture with random weights, to measure its speed.

    Raises:
        ModelError: unknown model.
        WeightsError: its files are not on this disk, or not what they should be.
        DeviceError: no such device here.
        EngineError: this process was forked from one with PyTorch in it.
    """
    refuse_after_fork()
    began = time.perf_counter()
    spec = get_model(model)
    loaded = load(
        spec,
        LoadSettings(device=device, dtype=dtype),
        folder=Path(folder) if folder else None,
        built=partial(build_random, spec, 0) if random_weights else None,
    )
    log.info("engine ready", extra=pairs(model=loaded.spec.name, took=time.perf_counter() - began))
    return Engine(loaded)
