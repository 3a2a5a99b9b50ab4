"""A run as lists show it, read from its folder without its arrays, and the figures of its chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine import measures
from workbench.engine.runs.document import RunDocument, read_document_of
from workbench.engine.runs.notes import read_notes
from workbench.engine.runs.paths import folder_bytes
from workbench.engine.timing import rtf


@dataclass(frozen=True)
class RunSummary:
    """A run as lists show it. The index has a column for each of these fields.

    Attributes:
        id, created_at, model, voice, text, device, dtype: as in ``results.Run``.
        seconds: of audio.
        total_seconds: of processing, loading apart.
        rtf: real-time factor.
        first_audio_seconds: from the start of the run to the first chunk's samples.
        n_chunks: chunks.
        settings: name to value. Treat it as read-only: it is shared.
        load: the same of loading: as it was asked for, device and number format as they became.
        note, star: what a person added.
        n_bytes: on disk.
        envelope: peaks of the waveform, 0 to 1, for a sparkline.
        has_trajectory: the ODE's states were kept.
        sweep: name of the sweep it was made in, or "".
        parent: id of the run it was made from by speaking one chunk again, or "".
        remade_chunk: index of that chunk.
        is_link: its folder is a symbolic link; deleting the run removes the link alone.
    """

    id: str
    created_at: str
    model: str
    voice: str
    text: str
    seconds: float
    total_seconds: float
    rtf: float
    first_audio_seconds: float
    n_chunks: int
    settings: dict[str, Any] = field(hash=False)
    device: str = "cpu"
    dtype: str = "fp32"
    note: str = ""
    star: bool = False
    n_bytes: int = 0
    envelope: tuple[float, ...] = ()
    has_trajectory: bool = False
    sweep: str = ""
    parent: str = ""
    remade_chunk: int | None = None
    is_link: bool = False
    load: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def remade(self) -> str:
        """Which chunk was spoken again, for a list; "" if none was."""
        return "" if self.remade_chunk is None else f"chunk {self.remade_chunk + 1}"

    @property
    def times(self) -> measures.Times:
        """What the measures of a run need and a list knows: the stages are not among it."""
        return measures.Times(self.seconds, self.total_seconds, self.first_audio_seconds)

    @cached_property
    def _searched(self) -> str:
        known = [self.id, self.text, self.note, self.voice, self.model, self.device, self.sweep, self.created_at]
        known += [f"{name}={value}" for name, value in (self.load | self.settings).items()]
        return " ".join(known).casefold()

    def matches(self, query: str) -> bool:
        """Whether every word of ``query`` occurs in what is known of the run; ``nfe_step=7`` finds a setting."""
        return all(word in self._searched for word in query.casefold().split())


def summary_of(folder: Path) -> RunSummary:
    """The summary of the run in ``folder``.

    Raises:
        RunError: its run.json is missing, cannot be read, or is damaged. The arrays are not looked at.
    """
    return read_rows(folder)[0]


def read_rows(folder: Path) -> tuple[RunSummary, list[dict[str, Any]]]:
    """The summary of the run in ``folder`` and a row for each chunk. Raises as ``summary_of``."""
    document = read_document_of(folder)
    return _summary(folder, document), chunk_rows_of(document)


def _summary(folder: Path, document: RunDocument) -> RunSummary:
    notes = read_notes(folder)
    return RunSummary(
        id=folder.name,
        created_at=document["created_at"],
        model=document["model"],
        voice=document["voice"],
        text=document["text"],
        seconds=document["audio_seconds"],
        total_seconds=document["total_seconds"],
        rtf=rtf(document["total_seconds"], document["audio_seconds"]),
        first_audio_seconds=document["time_to_first_audio_seconds"],
        n_chunks=len(document["chunks"]),
        settings=dict(document["settings"]),
        device=document["device"],
        dtype=document["dtype"],
        note=notes.get("note", ""),
        star=notes.get("star", False),
        n_bytes=folder_bytes(folder),
        envelope=tuple(document["envelope"]),
        has_trajectory=document["has_trajectory"],
        sweep=document["sweep"],
        parent=document["parent"],
        remade_chunk=document["remade_chunk"],
        is_link=folder.is_symlink(),
        load=document["request"]["load"] | {"device": document["device"], "dtype": document["dtype"]},
    )


# Of a chunk: column of the index to its type. Values are those of the plan, then those that were measured.
CHUNK_COLUMNS = {
    "run_id": "TEXT", "chunk": "INTEGER", "text": "TEXT", "n_bytes": "INTEGER", "duration_frames": "INTEGER",
    "new_frames": "INTEGER", "planned_seconds": "REAL", "seed": "INTEGER", "audio_seconds": "REAL",
    "total_seconds": "REAL", "n_evaluations": "INTEGER", **{m.name: "REAL" for m in measures.every(measures.CHUNK)},
}  # fmt: skip


def chunk_rows_of(document: RunDocument) -> list[dict[str, Any]]:
    """A row for each chunk of ``document``, with the names of ``CHUNK_COLUMNS``."""
    rows = []
    for index, (plan, made) in enumerate(zip(document["plans"], document["chunks"], strict=True)):
        known: dict[str, Any] = {**plan, **made, "run_id": document["id"], "chunk": index}
        known |= measures.values(measures.CHUNK, measures.Times.of_chunk(made))
        rows.append({name: known[name] for name in CHUNK_COLUMNS})
    return rows
