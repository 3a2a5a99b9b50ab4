"""Results of synthesis: a chunk, and a run of several chunks. Data only; ``runs`` saves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from workbench.engine import rules
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.signal.joining import join_blocks, join_places
from workbench.engine.signal.mel import align_mels
from workbench.engine.speech.chunks import ChunkResult, failed_chunk, in_memory
from workbench.engine.speech.passages.places import silences
from workbench.engine.speech.requests import SpeechRequest, VoiceRef, load_as_made
from workbench.engine.timing import UNMADE, Span, rtf_of_made

__all__ = ["PROFILE_FILE", "ChunkResult", "Run", "failed_chunk", "in_memory"]

PROFILE_FILE = "profile.json.gz"  # in the folder of a run


@dataclass(frozen=True, eq=False)
class Run:
    """A spoken text.

    Attributes:
        id: sortable and unique (``ids.new_id``).
        created_at: ISO 8601, UTC.
        request: the request; ``model``, ``voice``, ``voice_id``, ``ref_text``, ``text`` and ``settings`` come from it.
        device, dtype: of the models.
        chunks: the results, in order.
        spans: of loading and run on one time axis: loading ends at 0, where the run begins. In a long run and in one
            with a chunk made again, the chunks follow each other without gaps.
        loads: number of loads of this model in the process, "acoustic" and "vocoder".
        time_to_first_audio_seconds: from the start of the run to the first chunk's samples.
        total_seconds: of the run without loading; of all chunks if one was made again.
        environment: versions, machine and number of threads, on which the exact samples depend.
        utilisation: samples of CPU, GPU and memory use, if any.
        weights: sha256 of the files of "acoustic" and "vocoder", "" if no manifest names them; "layer": "ema" or
            "raw"; of a model from the Hub also "revision", and "picked": why this one, if neither a manifest nor
            refs/main names it.
        reference: the reference recording, float32 [n_samples]; None if it was not kept.
        references: id of each other voice of a script to its recording, where it was kept.
        profile: trace of all operations, gzipped JSON; None if none was asked for, or the run was read from disk.
        unknown_settings: settings of a newer program that this one does not know.
        takes: number of the take that is chosen for each chunk, from 1; () where all are as first made.
        n_planned: chunks of the whole text, for a run that was stopped before its end; 0 for a finished one.
    """

    id: str
    created_at: str
    request: SpeechRequest
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
    weights: dict[str, str] = field(default_factory=dict)
    reference: np.ndarray | None = None
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    unknown_settings: dict[str, Any] = field(default_factory=dict)
    profile: bytes | None = None
    takes: tuple[int, ...] = ()
    n_planned: int = 0

    @property
    def model(self) -> str:
        """Name in the catalogue."""
        return self.request.model

    @property
    def voice(self) -> str:
        """Name of the voice."""
        return self.request.voice.name

    @property
    def voice_id(self) -> str:
        """sha256 of the voice's samples and words."""
        return self.request.voice.id

    @property
    def ref_text(self) -> str:
        """Words of the reference."""
        return self.request.voice.ref_text

    @property
    def text(self) -> str:
        """Text of the request."""
        return self.request.text

    @property
    def settings(self) -> SynthesisSettings:
        """Settings of the request."""
        return self.request.settings

    def voice_of(self, index: int) -> VoiceRef:
        """Voice of chunk ``index``: of its passage, if the run is a script."""
        return self.request.voice_of(self.chunks[index].chunk.passage)

    def reference_of(self, index: int) -> np.ndarray | None:
        """Reference recording of chunk ``index``, float32 [n_samples]; None if it was not kept."""
        voice = self.voice_of(index)
        return self.reference if voice.id == self.voice_id else self.references.get(voice.id)

    @property
    def load(self) -> dict[str, Any]:
        """Name to value of each load setting: as it was asked for, or as it became where that is recorded."""
        return load_as_made(self.request.load.as_dict(), self.device, self.dtype, self.environment, self.weights)

    @property
    def is_remade(self) -> bool:
        """Whether one chunk was made again and the others come from an earlier run."""
        return self.request.remake is not None

    @property
    def version(self) -> str:
        """The id, with the takes that are chosen: equal versions have equal samples. A key for what is computed."""
        changed = "-".join(f"{k}.{take}" for k, take in enumerate(self.takes) if take > 1)
        done = f"/{len(self.chunks)}" if self.n_planned else ""
        return f"{self.id}{'@' if changed else ''}{changed}{done}"

    @property
    def failed(self) -> list[int]:
        """Indices of the chunks that could not be made."""
        return [index for index, result in enumerate(self.chunks) if result.is_failed]

    @property
    def sample_rate(self) -> int:
        """Hz of ``wave``."""
        return self.mel_config.target_sample_rate

    @property
    def is_long(self) -> bool:
        """It has so many chunks that they are kept apart, each in a file of its own, and never all in memory."""
        return len(self.chunks) > rules.LONG_RUN_CHUNKS

    @property
    def _silences(self) -> list[int]:
        pauses = [self.chunks[0].chunk.lead_seconds, *(c.chunk.pause_seconds for c in self.chunks)]
        begins, lengths = [c.chunk.begins_seconds for c in self.chunks], [c.n_samples for c in self.chunks]
        return silences(pauses, begins, lengths, self._fades, self.sample_rate)

    @property
    def fade_samples(self) -> int:
        """Samples of the cross-fade between two chunks."""
        return int(self.settings.cross_fade_duration * self.sample_rate)

    @cached_property
    def _fades(self) -> list[int]:
        return self.request.fades([c.chunk.passage for c in self.chunks], self.sample_rate)

    @cached_property
    def _places(self) -> tuple[list[int], int]:
        return join_places([c.n_samples for c in self.chunks], self._fades, self._silences)

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[np.ndarray]:
        """``wave`` piece by piece, each float32 [n_samples]: what a long run is read with.

        Args:
            first: index of the first chunk.
            last: index of the last one; by default that of the whole run.
        """
        end = len(self.chunks) if last is None else last + 1
        gaps = self._silences[first : end + 1]
        gaps[0] = gaps[0] if first == 0 else 0
        return join_blocks((c.wave for c in self.chunks[first:end]), self._fades[first:end], gaps)

    @cached_property
    def wave(self) -> np.ndarray:
        """Joined chunks with cross-fades and pauses, float32 [n_samples]."""
        return np.concatenate(list(self.blocks()))

    @property
    def n_samples(self) -> int:
        """Samples of ``wave``."""
        return self._places[1]

    @property
    def starts(self) -> list[int]:
        """Sample of ``wave`` at which each chunk begins."""
        return self._places[0]

    @cached_property
    def mel(self) -> np.ndarray:
        """Mel on the time axis of ``wave``, float32 [frames, n_mels]."""
        lengths = [c.n_samples for c in self.chunks]
        return align_mels([c.mel for c in self.chunks], self.starts, lengths, self.mel_config, self.n_samples)

    @property
    def audio_seconds(self) -> float:
        """Length of the wave in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def n_reused(self) -> int:
        """How many chunks were read from those that are kept, and not made."""
        return sum(c.is_reused for c in self.chunks)

    @property
    def rtf(self) -> float | None:
        """Real-time factor of what was made in this run, loading apart; None if no chunk was."""
        chunks = [(c.timing.total_seconds, c.audio_seconds, c.timing.made in UNMADE) for c in self.chunks]
        return rtf_of_made(self.total_seconds, self.audio_seconds, chunks)

    def as_dict(self) -> dict[str, Any]:
        """Return everything except the arrays, ready for JSON."""
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
            "n_reused": self.n_reused,
            "n_planned": self.n_planned,
            "takes": list(self.takes),
            "loads": dict(self.loads),
            "chunks": [c.as_dict() for c in self.chunks],
            "spans": [s.as_dict() for s in self.spans],
            "environment": dict(self.environment),
            "weights": dict(self.weights),
            "request": self._request_as_dict(),
        }

    def _request_as_dict(self) -> dict[str, Any]:
        """Return the request as stored with a run."""
        kept = [*self.references, *([self.voice_id] if self.reference is not None else [])]
        found = self.request.stored(kept).as_dict()
        found["settings"] |= self.unknown_settings.get("settings", {})
        found["load"] |= self.unknown_settings.get("load", {})
        return found
