"""Subjects of measures: times of a run or chunk, a sound, and two readings of one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.engine.signal.alignment import Alignment, align
from workbench.engine.signal.pitch import Pitch, pitch
from workbench.engine.timing import UNMADE, rtf, rtf_of_made

if TYPE_CHECKING:
    from workbench.engine.asr.recogniser import Heard
    from workbench.engine.speech.results import ChunkResult, Run

CHUNK_STAGES = ("text", "ode", "vocoder")
STAGES = ("reference_mel", *CHUNK_STAGES, "reuse", "keep", "cross_fade")


@dataclass(frozen=True)
class Times:
    """Times of a run or a chunk.

    Attributes:
        audio_seconds: length of the speech.
        total_seconds: processing time without loading.
        first_audio_seconds: from the start of the run to the first samples; None for a chunk.
        stages: seconds of each stage; for a run also "other", the rest of the total. Empty if unknown.
        step_seconds: of the ODE steps of a chunk; empty for a run.
        rtf: real-time factor of what was made; None if all of it was reused.
    """

    audio_seconds: float
    total_seconds: float
    first_audio_seconds: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    step_seconds: tuple[float, ...] = ()
    rtf: float | None = None

    @classmethod
    def of_run(cls, document: Mapping[str, Any]) -> Times:
        """Return the times of a run from its document (``Run.as_dict``, ``store.read_document``)."""
        stages = {name: sum(row[f"{name}_seconds"] for row in document["chunks"]) for name in CHUNK_STAGES}
        for span in document["spans"]:
            if span["name"] in STAGES and span["name"] not in CHUNK_STAGES and span["start_seconds"] >= 0:
                stages[span["name"]] = stages.get(span["name"], 0.0) + span["seconds"]
        total = document["total_seconds"]
        ordered = {name: stages[name] for name in STAGES if name in stages}
        ordered["other"] = max(0.0, total - sum(stages.values()))
        chunks = [(r["total_seconds"], r["audio_seconds"], r.get("made") in UNMADE) for r in document["chunks"]]
        factor = rtf_of_made(total, document["audio_seconds"], chunks)
        return cls(document["audio_seconds"], total, document["time_to_first_audio_seconds"], ordered, rtf=factor)

    @classmethod
    def of_chunk(cls, row: Mapping[str, Any]) -> Times:
        """Return the times of a chunk from its row in such a document (``ChunkResult.as_dict``)."""
        if row.get("made") in UNMADE:
            return cls(row["audio_seconds"], row["total_seconds"])
        stages = {name: row[f"{name}_seconds"] for name in CHUNK_STAGES}
        factor = rtf(row["total_seconds"], row["audio_seconds"])
        return cls(row["audio_seconds"], row["total_seconds"], None, stages, tuple(row["step_seconds"]), factor)


@dataclass(frozen=True, eq=False)
class Sound:
    """The sound of a run, a chunk or a recording. What several measures need is computed once.

    Attributes:
        wave: float32 [n_samples] at the rate of ``config``.
        config: of the mel.
        mel: [frames, n_mels], natural logarithm, as the model made it; None for a recording.
        text: spoken words; "" if unknown.
        language: of ``text``, ISO 639-1; "" if unknown.
        reference: recording of the voice, float32 [n_samples] at the same rate; None if there is none.
        voice: name of that voice.
        joins: sample at which each chunk except the first begins.
        fade: samples of the cross-fade at each join.
    """

    wave: np.ndarray
    config: MelConfig = MelConfig()
    mel: np.ndarray | None = None
    text: str = ""
    language: str = ""
    reference: np.ndarray | None = None
    voice: str = ""
    joins: tuple[int, ...] = ()
    fade: int = 0

    @classmethod
    def of_run(cls, run: Run) -> Sound:
        """Return the sound of the whole ``run``."""
        return cls(
            run.wave, run.mel_config, run.mel, run.text, run.request.voice.language, run.reference, run.voice,
            tuple(run.starts[1:]), run.fade_samples,
        )  # fmt: skip

    @classmethod
    def of_chunk(cls, result: ChunkResult, config: MelConfig, run: Run | None = None) -> Sound:
        """Return the sound of one chunk of ``run``, whose mel has ``config``."""
        known: tuple[str, np.ndarray | None, str] = ("", None, "")
        if run:
            voice = run.voice_of(result.chunk.index)
            known = voice.language, run.reference_of(result.chunk.index), voice.name
        return cls(result.wave, config, result.mel, result.chunk.text, *known)

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.wave) / self.config.target_sample_rate

    @cached_property
    def heard(self) -> Heard:
        """What a recogniser from the cache hears. Raises RecogniserError if there is none."""
        from workbench.engine.asr.recogniser import load_recogniser

        return load_recogniser(language=self.language).hear(
            self.wave, self.config.target_sample_rate, language=self.language
        )

    @cached_property
    def pitch(self) -> Pitch:
        """Fundamental frequency, on the frames of the mel."""
        return pitch(self.wave, self.config.target_sample_rate, hop_length=self.config.hop_length)

    @cached_property
    def model_decibels(self) -> np.ndarray | None:
        """``mel`` in dB; None for a recording."""
        return None if self.mel is None else spectra.mel_decibels(self.mel)

    @cached_property
    def heard_decibels(self) -> np.ndarray:
        """Mel of the audio in dB [frames, n_mels]. Imports torch."""
        return spectra.decoded_mel(self.wave, self.config)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two readings of one text, as their natural-log mels [frames, n_mels].

    Attributes:
        a, b: the mels.
        pitches: fundamental frequency of both, on the frames of the mels; None where only mels are compared.
    """

    a: np.ndarray
    b: np.ndarray
    pitches: tuple[Pitch, Pitch] | None = None

    @cached_property
    def alignment(self) -> Alignment | None:
        """Time alignment of ``b`` to ``a``; None if they have the same length and are compared frame by frame.

        Runs with the same plan, but another seed or number of steps, have the same length.
        """
        return None if len(self.a) == len(self.b) else align(self.a, self.b)

    @cached_property
    def frames(self) -> np.ndarray:
        """Pairs of frames that belong together, int [n, 2]."""
        found: np.ndarray = np.repeat(np.arange(len(self.a))[:, None], 2, axis=1)
        return self.alignment.path if self.alignment else found

    @property
    def a_aligned(self) -> np.ndarray:
        """``a`` at ``frames``."""
        found: np.ndarray = self.a[self.frames[:, 0]]
        return found

    @property
    def b_aligned(self) -> np.ndarray:
        """``b`` at ``frames``."""
        found: np.ndarray = self.b[self.frames[:, 1]]
        return found
