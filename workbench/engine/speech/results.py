"""What comes out: a chunk, and a run of them. Data only; saving lives in ``runs``."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.signal.audio import cross_fade
from workbench.engine.signal.mel import align_mels
from workbench.engine.signal.trajectory import Trajectory
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import ChunkTiming, Span, rtf


@dataclass(frozen=True, eq=False)
class ChunkResult:
    """One spoken chunk.

    Attributes:
        chunk: what was planned.
        seed: of its noise.
        wave: float32 [n_samples] at the model's rate, at the reference's level.
        mel: float32 [frames, n_mels] as the model made it, without the reference.
        trajectory: the states of the ODE, if they were asked for.
        timing: where the time went.
        sample_rate: Hz of ``wave``.
    """

    chunk: Chunk
    seed: int
    wave: np.ndarray
    mel: np.ndarray
    trajectory: Trajectory | None
    timing: ChunkTiming
    sample_rate: int

    @property
    def audio_seconds(self) -> float:
        return len(self.wave) / self.sample_rate

    @property
    def rtf(self) -> float:
        """Real-time factor of this chunk."""
        return rtf(self.timing.total_seconds, self.audio_seconds)

    def as_dict(self) -> dict[str, Any]:
        """The row of this chunk in tables and JSON."""
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
            "rtf": self.rtf,
            "warnings": list(self.chunk.warnings),
        }


@dataclass(frozen=True, eq=False)
class Run:
    """A whole text, spoken.

    Attributes:
        id: sortable and unique (``ids.new_id``).
        created_at: ISO 8601, UTC.
        model, voice, voice_id, ref_text, text: what was asked for.
        settings: how.
        device, dtype: where, and in which number format.
        chunks: the results, in order.
        spans: load and run on one time axis: loading ends at 0, the run begins there.
        loads: how often the models were loaded for this engine.
        time_to_first_audio_seconds: from the start of the run to the first chunk's samples.
        total_seconds: of the run, loading apart.
        environment: versions, machine, and the number of threads, on which the last bits depend.
        utilisation: samples of CPU, GPU and memory use, if they were taken.
    """

    id: str
    created_at: str
    model: str
    voice: str
    voice_id: str
    ref_text: str
    text: str
    settings: SynthesisSettings
    device: str
    dtype: str
    chunks: tuple[ChunkResult, ...]
    spans: tuple[Span, ...]
    loads: dict[str, int]
    load_seconds: float
    time_to_first_audio_seconds: float
    total_seconds: float
    mel_config: MelConfig = field(default_factory=MelConfig)
    environment: dict[str, str] = field(default_factory=dict)
    utilisation: tuple[Any, ...] = ()

    @property
    def sample_rate(self) -> int:
        """Hz of ``wave``."""
        return self.mel_config.target_sample_rate

    @cached_property
    def _joined(self) -> tuple[np.ndarray, list[int]]:
        pauses = [c.chunk.pause_seconds for c in self.chunks]
        silences = [round(seconds * self.sample_rate) for seconds in (self.chunks[0].chunk.lead_seconds, *pauses)]
        fade = int(self.settings.cross_fade_duration * self.sample_rate)
        return cross_fade([c.wave for c in self.chunks], fade, silences)

    @property
    def wave(self) -> np.ndarray:
        """The chunks cross-faded, with the pauses between them, float32 [n_samples]."""
        return self._joined[0]

    @property
    def starts(self) -> list[int]:
        """Sample of ``wave`` at which each chunk begins."""
        return self._joined[1]

    @cached_property
    def mel(self) -> np.ndarray:
        """float32 [frames, n_mels] on the time axis of ``wave``."""
        return align_mels(
            [c.mel for c in self.chunks],
            self.starts,
            [len(c.wave) for c in self.chunks],
            self.mel_config,
            len(self.wave),
        )

    @property
    def audio_seconds(self) -> float:
        return len(self.wave) / self.sample_rate

    @property
    def rtf(self) -> float:
        """Real-time factor of the run, loading apart."""
        return rtf(self.total_seconds, self.audio_seconds)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the arrays, ready for JSON."""
        return {
            "id": self.id,
            "created_at": self.created_at,
            "model": self.model,
            "voice": self.voice,
            "voice_id": self.voice_id,
            "ref_text": self.ref_text,
            "text": self.text,
            "device": self.device,
            "dtype": self.dtype,
            "settings": self.settings.as_dict(),
            "load_seconds": self.load_seconds,
            "time_to_first_audio_seconds": self.time_to_first_audio_seconds,
            "total_seconds": self.total_seconds,
            "audio_seconds": self.audio_seconds,
            "rtf": self.rtf,
            "loads": dict(self.loads),
            "chunks": [c.as_dict() for c in self.chunks],
            "spans": [s.as_dict() for s in self.spans],
            "environment": dict(self.environment),
        }


def environment() -> dict[str, str]:
    """Versions and machine, as a run records them."""
    from importlib.metadata import PackageNotFoundError, version

    import torch

    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": str(torch.get_num_threads()),
    }
    for package in ("torch", "torchaudio", "f5-tts", "vocos"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found
