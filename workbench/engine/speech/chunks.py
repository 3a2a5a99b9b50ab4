"""Results of chunks: the sound of each, or silence where it could not be made, and their time one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.settings import MelConfig
from workbench.engine.signal.trajectory import Trajectory
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import FAILED, REUSED, UNMADE, ChunkTiming, Timeline, note_chunk, rtf

SILENT_MEL = float(np.log(1e-5))  # the floor of a mel


@dataclass(frozen=True, eq=False)
class ChunkResult:
    """One spoken chunk.

    Attributes:
        chunk: its plan.
        seed: of its noise.
        wave: float32 [n_samples] at the model's rate, at the reference's level.
        mel: float32 [frames, n_mels] from the model, without the reference.
        trajectory: the states of the ODE, if they were kept.
        timing: seconds of each stage.
        sample_rate: of ``wave`` in Hz.
        error: why it could not be made, or "". Then ``wave`` is silence as long as planned.
    """

    chunk: Chunk
    seed: int
    wave: np.ndarray
    mel: np.ndarray
    trajectory: Trajectory | None
    timing: ChunkTiming
    sample_rate: int
    error: str = ""

    @property
    def n_samples(self) -> int:
        """Samples of ``wave``."""
        return len(self.wave)

    @property
    def audio_seconds(self) -> float:
        """Length of the wave in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def is_reused(self) -> bool:
        """Nothing was computed: it was read from the chunks that are kept."""
        return self.timing.made == REUSED

    @property
    def is_failed(self) -> bool:
        """It could not be made; ``error`` says why."""
        return self.timing.made == FAILED

    @property
    def rtf(self) -> float | None:
        """Real-time factor of this chunk; None for one that was reused or failed."""
        return None if self.timing.made in UNMADE else rtf(self.timing.total_seconds, self.audio_seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return the row of this chunk for tables and JSON."""
        t = self.timing
        return {
            "index": self.chunk.index,
            "text": self.chunk.text,
            "written": self.chunk.written or self.chunk.text,
            "lead_seconds": self.chunk.lead_seconds,
            "pause_seconds": self.chunk.pause_seconds,
            "n_bytes": self.chunk.n_bytes,
            "seed": self.seed,
            "planned_seconds": self.chunk.planned_seconds,
            "audio_seconds": self.audio_seconds,
            "text_seconds": t.text_seconds,
            "ode_seconds": t.ode_seconds,
            "vocoder_seconds": t.vocoder_seconds,
            "total_seconds": t.total_seconds,
            "step_seconds": list(t.step_seconds),
            "n_evaluations": t.n_evaluations,
            "made": t.made,
            "passage": self.chunk.passage,
            "rtf": self.rtf,
            "warnings": list(self.chunk.warnings),
            "error": self.error,
        }


def in_memory(result: ChunkResult) -> ChunkResult:
    """Return ``result`` with its arrays in memory; itself if they are."""
    if type(result) is ChunkResult:
        return result
    return ChunkResult(**{f.name: getattr(result, f.name) for f in dataclasses.fields(ChunkResult)})


def failed_chunk(chunk: Chunk, error: str, seconds: float, mel: MelConfig) -> ChunkResult:
    """Silence in the place of a chunk that could not be made, as long as planned.

    Args:
        chunk: its plan.
        error: why, in one line.
        seconds: that passed until it failed.
        mel: of the model.
    """
    n_samples = max(round(chunk.planned_seconds * mel.target_sample_rate), 1)
    silence = np.full((max(chunk.new_frames, 1), mel.n_mel_channels), SILENT_MEL, np.float32)
    timing = ChunkTiming(0.0, 0.0, 0.0, (), seconds, 0, FAILED)
    wave = np.zeros(n_samples, np.float32)
    return ChunkResult(chunk, chunk.seed, wave, silence, None, timing, mel.target_sample_rate, error)


def end_to_end(results: Sequence[ChunkResult]) -> tuple[Timeline, float]:
    """Return a timeline with the chunks of several runs one after the other, and the end in seconds."""
    timeline, end = Timeline(), 0.0
    for result in results:
        end = note_chunk(timeline, result.chunk.index, end, result.timing)
    return timeline, end


def note_pauses(timeline: Timeline, results: Sequence[ChunkResult], at: float) -> None:
    """Note the pauses beside chunks: they take no time, but have their place."""
    for result in results:
        if result.chunk.lead_seconds or result.chunk.pause_seconds:
            timeline.add("pause", at, 0.0, result.chunk.index)
