"""A take and the takes of a run, as values without arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.engine.errors import RunError
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.takes.ledger import FIRST, Ledger, TakeRow
from workbench.engine.runs.takes.state import chunk_of, timing_of
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import FAILED, UNMADE, ChunkTiming, rtf


@dataclass(frozen=True)
class Take:
    """One take of a chunk, without its arrays.

    Attributes:
        number: from 1; 1 is the one that the run was made with.
        chunk: its plan: words, seed, length.
        audio_seconds: length of its wave.
        timing: seconds of each stage.
        is_chosen: whether the run sounds with it.
        made_at: ISO 8601, UTC.
        parent: the take from which it was made; 0 for the first.
        words: what was typed; None for the words of the text.
        speed: that was asked for; None for that of the run.
        error: why it could not be made, or "".
        measured: measure to value, as far as it was measured.
    """

    number: int
    chunk: Chunk
    audio_seconds: float
    timing: ChunkTiming
    is_chosen: bool
    made_at: str = ""
    parent: int = 0
    words: str | None = None
    speed: float | None = None
    error: str = ""
    measured: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Of its noise."""
        return self.chunk.seed

    @property
    def rtf(self) -> float | None:
        """Real-time factor; None if it was reused or failed."""
        return None if self.timing.made in UNMADE else rtf(self.timing.total_seconds, self.audio_seconds)

    @property
    def is_failed(self) -> bool:
        """It could not be made; silence is in its place."""
        return self.timing.made == FAILED

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of it, ready for JSON."""
        return {
            "chunk": self.chunk.index, "take": self.number, "chosen": self.is_chosen, "text": self.chunk.text,
            "seed": self.seed, "speed": self.speed, "audio_seconds": self.audio_seconds,
            "total_seconds": self.timing.total_seconds, "rtf": self.rtf, "made": self.timing.made,
            "made_at": self.made_at, "parent": self.parent, "error": self.error, "measured": dict(self.measured),
        }  # fmt: skip


@dataclass(frozen=True)
class Takes:
    """The takes of a run.

    Attributes:
        run_id: of the run.
        n_chunks: chunks of the run.
        ledger: which takes there are and which are chosen.
        document: of the run as it was first made.
    """

    run_id: str
    n_chunks: int
    ledger: Ledger
    document: RunDocument = field(repr=False)

    def of(self, chunk: int) -> tuple[Take, ...]:
        """Every take of ``chunk``, the first one first. Raises RunError if there is no such chunk."""
        check_chunk(self.run_id, chunk, self.n_chunks)
        plan, row = self.document["plans"][chunk], self.document["chunks"][chunk]
        chosen = self.ledger.number(chunk)
        first = Take(FIRST, chunk_of(plan), row["audio_seconds"], timing_of(row), chosen == FIRST,
                     self.document["created_at"], error=row.get("error", ""))  # fmt: skip
        others = (_take(number, found, chosen) for number, found in
                  enumerate(self.ledger.takes.get(chunk, ()), FIRST + 1))  # fmt: skip
        return (first, *others)

    def checked(self, chunk: int, take: int) -> int:
        """Return ``take`` if the chunk has a take of this number. Raises RunError."""
        check_chunk(self.run_id, chunk, self.n_chunks)
        self.ledger.choosing({chunk: take})
        return take

    def count(self, chunk: int) -> int:
        """How many takes ``chunk`` has."""
        return self.ledger.count(chunk)

    @property
    def chunks(self) -> list[int]:
        """Indices of the chunks with more than one take."""
        return sorted(self.ledger.takes)

    @property
    def can_undo(self) -> bool:
        """Whether there is a choice to undo."""
        return bool(self.ledger.past)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone choice."""
        return bool(self.ledger.future)


def _take(number: int, found: TakeRow, chosen: int) -> Take:
    row = found["row"]
    return Take(
        number, chunk_of(found["plan"]), row["audio_seconds"], timing_of(row), number == chosen, found["made_at"],
        found["parent"], found["words"], found["speed"], row.get("error", ""), found["measured"],
    )  # fmt: skip


def check_chunk(run_id: str, chunk: int, n_chunks: int) -> None:
    """Raise RunError unless the run has chunk ``chunk``."""
    if not 0 <= chunk < n_chunks:
        raise RunError(f"The run {run_id} has no chunk {chunk + 1}.", remedy=f"It has {n_chunks}, counted from 1.")
