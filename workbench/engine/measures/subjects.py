"""What can be measured: where the time went, speech that can be heard, and two readings of one text."""

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

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run

CHUNK_STAGES = ("text", "ode", "vocoder")
STAGES = ("reference_mel", *CHUNK_STAGES, "cross_fade")


@dataclass(frozen=True)
class Times:
    """How long a run or a chunk took.

    Attributes:
        audio_seconds: of speech.
        total_seconds: of processing, loading apart.
        first_audio_seconds: until the first samples of a run were there; None for a chunk.
        stages: seconds of each stage, and as "other" what none of them explains; empty if nothing is known.
        step_seconds: of the ODE steps of a chunk.
    """

    audio_seconds: float
    total_seconds: float
    first_audio_seconds: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    step_seconds: tuple[float, ...] = ()

    @classmethod
    def of_run(cls, document: Mapping[str, Any]) -> Times:
        """The times of a run from its document (``Run.as_dict``, ``store.read_document``)."""
        stages = {name: sum(row[f"{name}_seconds"] for row in document["chunks"]) for name in CHUNK_STAGES}
        for span in document["spans"]:
            if span["name"] in STAGES and span["name"] not in CHUNK_STAGES and span["start_seconds"] >= 0:
                stages[span["name"]] = stages.get(span["name"], 0.0) + span["seconds"]
        total = document["total_seconds"]
        ordered = {name: stages[name] for name in STAGES if name in stages}
        ordered["other"] = max(0.0, total - sum(stages.values()))
        return cls(document["audio_seconds"], total, document["time_to_first_audio_seconds"], ordered)

    @classmethod
    def of_chunk(cls, row: Mapping[str, Any]) -> Times:
        """The times of a chunk from its row in such a document (``ChunkResult.as_dict``)."""
        stages = {name: row[f"{name}_seconds"] for name in CHUNK_STAGES}
        return cls(row["audio_seconds"], row["total_seconds"], None, stages, tuple(row["step_seconds"]))


@dataclass(frozen=True, eq=False)
class Sound:
    """Speech that can be heard: a run, a chunk of one, a recording. What it takes to measure it is computed once.

    Attributes:
        wave: float32 [n_samples] at the rate of ``config``.
        config: of the mel.
        mel: [frames, n_mels], natural logarithm, as the model made it; None for a recording.
        text: what is said; "" if nobody knows.
    """

    wave: np.ndarray
    config: MelConfig = MelConfig()
    mel: np.ndarray | None = None
    text: str = ""

    @classmethod
    def of_run(cls, run: Run) -> Sound:
        """All of ``run``."""
        return cls(run.wave, run.mel_config, run.mel, run.text)

    @classmethod
    def of_chunk(cls, result: ChunkResult, config: MelConfig) -> Sound:
        """One chunk of a run whose mel has ``config``."""
        return cls(result.wave, config, result.mel, result.chunk.text)

    @cached_property
    def pitch(self) -> Pitch:
        """Fundamental frequency, on the frames of the mel."""
        return pitch(self.wave, self.config.target_sample_rate, hop_length=self.config.hop_length)

    @cached_property
    def model_decibels(self) -> np.ndarray | None:
        """``mel`` in dB."""
        return None if self.mel is None else spectra.mel_decibels(self.mel)

    @cached_property
    def heard_decibels(self) -> np.ndarray:
        """Mel of the audio in dB [frames, n_mels]. Imports torch."""
        return spectra.decoded_mel(self.wave, self.config)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two readings of one text, as their natural-log mels [frames, n_mels]."""

    a: np.ndarray
    b: np.ndarray

    @cached_property
    def alignment(self) -> Alignment | None:
        """How ``b`` was time-aligned to ``a``; None where they are of one length and compared frame by frame.

        Runs of one plan, with another seed or number of steps, share their time.
        """
        return None if len(self.a) == len(self.b) else align(self.a, self.b)
