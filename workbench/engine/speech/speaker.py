"""Speak a text one chunk at a time with loaded models. ``synthesis`` collects the chunks into runs."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from workbench.engine import rules
from workbench.engine.errors import Cancelled, VoiceError, WorkbenchError, told
from workbench.engine.logs import pairs
from workbench.engine.model.backends.base import Preparations
from workbench.engine.model.backends.graphs import unnoted
from workbench.engine.model.loading import Loaded, warm_up
from workbench.engine.model.sampling import Flow, solve, text_embedded
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.joining import check_finite
from workbench.engine.speech.assembling import Shelf
from workbench.engine.speech.results import ChunkResult, failed_chunk
from workbench.engine.speech.text import Chunk, conditioning_text, number_languages
from workbench.engine.speech.turns import Turn
from workbench.engine.speech.voices import Voice
from workbench.engine.text.preparing import Prepared, prepare
from workbench.engine.timing import FIRST_RUN, NEW_LENGTH, REUSED, WARM, ChunkTiming, Progress, Timeline, note_chunk

log = logging.getLogger("workbench.synthesis")
_REFERENCES_KEPT = 8

OnStep = Callable[[Progress], None]
Part = Callable[[Chunk], tuple[Voice, SynthesisSettings]]


class Speaker:
    """Models in memory, used by one thread at a time.

    Args:
        loaded: from ``loading.load``.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._turn = Turn()
        self._references: OrderedDict[tuple[str, float], torch.Tensor] = OrderedDict()
        self._lengths: set[int] = set()  # frames of the chunks that were made since the model was loaded

    def plan(self, text: str, voice: Voice, settings: SynthesisSettings = SynthesisSettings()) -> list[Chunk]:
        """Return the chunks of ``text`` with their lengths and warnings, without synthesis.

        Raises:
            TextError: this model cannot speak the text.
            SettingsError: the settings leave no time for the text.
        """
        prepared = self.prepare(text, voice, settings).check()
        return voice.plan(prepared, settings, self.loaded.window_frames)

    def prepare(self, text: str, voice: Voice, settings: SynthesisSettings = SynthesisSettings()) -> Prepared:
        """Prepare ``text`` for this model: changes, offers, numbers as words, characters that it cannot speak.

        Raises:
            TextError: as ``preparing.prepare``.
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
        shelf: Shelf | None = None,
        find: Callable[[Chunk], ChunkResult | None] | None = None,
        part: Part | None = None,
        skip_failed: bool = False,
    ) -> Iterator[ChunkResult]:
        """Speak ``text``, one chunk at a time, in order.

        Args:
            text: text to speak.
            voice: the voice.
            settings: knobs of synthesis.
            chunks: all or some chunks of an earlier ``plan``; planned now if not given.
            on_step: called before the first and after every ODE step. Raise ``errors.Cancelled`` from it to stop.
            timeline: receives the spans.
            shelf: chunk store; chunks made before are read from it, new ones are kept in it. Nothing is read if the
                trajectory is wanted, which is not kept.
            find: returns the result of a chunk that a part of this run made before; it is yielded as it is.
            part: returns voice and settings of a chunk, if ``chunks`` are of a script.
            skip_failed: where a chunk cannot be made, yield silence of its length with the reason
                (``results.failed_chunk``) and go on. If none at all can be made, the last error is raised.

        Yields:
            ChunkResult: wave and mel depend only on chunk, voice, settings and seed, not on the other chunks. They are
                exactly equal on one machine with the same number of threads (``Run.environment["threads"]``); another
                number of threads sums in another order.

        Raises:
            TextError, SettingsError, VoiceError: before the first chunk.
            EngineError: called from within ``on_step``, or after a fork.
        """
        if chunks is None:
            chunks = self.plan(text, voice, settings)
        part = part or (lambda _: (voice, settings))
        for speaker in {one.id: one for one in (voice, *(part(chunk)[0] for chunk in chunks))}.values():
            if speaker.mel_config != self.loaded.spec.mel:
                raise VoiceError(
                    f"The voice {speaker.name!r} was prepared for another mel than {self.loaded.spec.name}'s.",
                    remedy="Prepare it with the model's mel configuration.",
                )
        timeline = timeline or Timeline(self.loaded.synchronize)
        keep_bytes = rules.TRAJECTORY_MAX_BYTES // max(len(chunks), 1) if settings.keep_trajectory else 0
        n_made = 0
        for position, chunk in enumerate(chunks):
            began = timeline.now()
            report = _stepper(on_step, position, len(chunks))
            try:
                if find is not None and (made := find(chunk)) is not None:
                    n_made += not made.is_failed
                    yield made
                    continue
                voice, settings = part(chunk)
                taken = self._taken(shelf, chunk, voice, settings, timeline) if shelf else None
                if taken is None:
                    with self._turn:
                        cond = self._reference(voice, settings.target_rms, timeline)
                        result = self._speak(chunk, voice, cond, settings, timeline, report, keep_bytes)
                    if skip_failed:
                        check_finite(result.wave)
            except Cancelled:
                raise
            except Exception as error:
                if not skip_failed or (position == len(chunks) - 1 and not n_made):
                    raise
                yield self._skipped(chunk, error, timeline, began)
                continue
            n_made += 1
            if taken is not None:
                log.info("chunk reused", extra=pairs(index=chunk.index, audio=taken.audio_seconds))
                if report is not None:
                    report(settings.nfe_step, settings.nfe_step)
                yield taken
                continue
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
            if shelf is not None:
                with timeline.span("keep", chunk.index):
                    shelf.keep(self.loaded, voice, settings, chunk, result.wave, result.mel)
            yield result

    def _skipped(self, chunk: Chunk, error: Exception, timeline: Timeline, began: float) -> ChunkResult:
        """Silence in the place of ``chunk``; an error that is no ``WorkbenchError`` keeps its traceback in the log."""
        known = isinstance(error, WorkbenchError)
        log.warning("chunk skipped", extra=pairs(index=chunk.index, error=str(error)[:200]), exc_info=not known)
        failed = failed_chunk(chunk, told(error), timeline.now() - began, self.loaded.spec.mel)
        note_chunk(timeline, chunk.index, began, failed.timing)
        return failed

    def compile_ahead(self) -> None:
        """Compile and record what chunks of usual lengths need, on a GPU; otherwise the first run does it.

        For the background, once the pages can be used. Between two lengths, others may speak.
        """
        for n_frames in self.loaded.backend.usual_frames:
            for ref_frames in (n_frames // 3, n_frames * 2 // 3):  # chunks and texts of several lengths
                with self._turn:
                    warm_up(self.loaded, self.loaded.backend, n_frames, ref_frames)

    def decode(self, mel: np.ndarray) -> np.ndarray:
        """Decode a natural-log ``mel`` [frames, n_mels] with the vocoder: float32 [n_samples], at the mel's level."""
        with self._turn, torch.inference_mode():
            on_device = torch.from_numpy(np.array(mel, dtype=np.float32)).to(self.loaded.device)
            wave: np.ndarray = self.loaded.backend.decode(self.loaded.vocoder, on_device, unnoted).cpu().numpy()
        return wave

    def _taken(
        self, shelf: Shelf, chunk: Chunk, voice: Voice, settings: SynthesisSettings, timeline: Timeline
    ) -> ChunkResult | None:
        """The chunk from ``shelf``, if it is there and holds all that is wanted."""
        if settings.keep_trajectory:
            return None
        began = timeline.now()
        found = shelf.find(self.loaded, voice, settings, chunk)
        if found is None:
            return None
        timing = ChunkTiming(0.0, 0.0, 0.0, (), timeline.now() - began, 0, REUSED)
        note_chunk(timeline, chunk.index, began, timing)
        rate = self.loaded.spec.mel.target_sample_rate
        return ChunkResult(chunk, chunk.seed, *found, None, timing, rate)

    def _warmth(self, frames: int) -> str:
        """How warm a chunk of ``frames`` is made; see ``ChunkTiming``."""
        found = FIRST_RUN if not self._lengths else WARM if frames in self._lengths else NEW_LENGTH
        self._lengths.add(frames)
        return found

    def _reference(self, voice: Voice, target_rms: float, timeline: Timeline) -> torch.Tensor:
        """Return the mel of the reference on the device, computed once per voice and level."""
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
        report: Callable[[int, int], None] | None,
        keep_bytes: int,
    ) -> ChunkResult:
        """Synthesize one chunk: text, ODE, vocoder."""
        began = timeline.now()
        with torch.inference_mode():
            before, after = self.loaded.spec.frame
            tokens = self.loaded.tokens(before + conditioning_text(voice.ref_text) + chunk.text + after)
            flow = Flow(
                self.loaded.cfm, cond, tokens, chunk.duration_frames, settings.cfg_strength, self.loaded.backend
            )
            with text_embedded(flow):
                embedded = timeline.now()
                solution = solve(
                    flow, settings, chunk.seed, voice.frames, on_step=report, clock=timeline.now, keep_bytes=keep_bytes
                )
            solved, decoding = timeline.now(), Preparations()
            decoded = self.loaded.backend.decode(self.loaded.vocoder, solution.mel, decoding.noting)
            wave = (decoded / voice.gain(settings.target_rms)).cpu().numpy()
            mel = solution.mel.cpu().numpy()
        ended = timeline.now()
        timing = ChunkTiming(
            embedded - began, solved - embedded, ended - solved,
            solution.step_seconds, ended - began, solution.n_evaluations, self._warmth(chunk.duration_frames),
        )  # fmt: skip
        note_chunk(timeline, chunk.index, began, timing)
        for at, preparations in ((began, flow.preparations), (solved, decoding)):  # within text, and within vocoder
            for name, seconds in preparations.items():
                timeline.add(name, at, seconds, chunk.index)
        rate = self.loaded.spec.mel.target_sample_rate
        return ChunkResult(chunk, chunk.seed, np.ascontiguousarray(wave), mel, solution.trajectory, timing, rate)


def _stepper(on_step: OnStep | None, position: int, n_chunks: int) -> Callable[[int, int], None] | None:
    if on_step is None:
        return None
    return lambda step, n_steps: on_step(Progress(position, n_chunks, step, n_steps))
