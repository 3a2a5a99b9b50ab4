"""Summary of a run for lists and numbers of its chunks, read from its folder without the arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine import measures, rules
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.measured.files import Measured, read_measured
from workbench.engine.runs.notes import read_notes
from workbench.engine.runs.paths import folder_bytes
from workbench.engine.runs.takes.state import document_of
from workbench.engine.speech.requests import load_as_made
from workbench.engine.timing import FAILED, REUSED


@dataclass(frozen=True)
class RunSummary:
    """Summary of a run for lists. The index has one column per field.

    Attributes:
        id, created_at, model, voice, text, device, dtype: as in ``results.Run``.
        seconds: length of the audio.
        total_seconds: processing time without loading.
        rtf: real-time factor of what was made; None if every chunk was reused.
        first_audio_seconds: from the start of the run to the first chunk's samples.
        n_chunks: chunks.
        n_reused: how many of these were read from the chunk store.
        settings: name to value. Treat it as read-only: it is shared.
        load: load settings, name to value: as they were asked for, or as they became where that is recorded.
        note, star: set by the user.
        n_bytes: size on disk.
        envelope: peaks of the waveform, 0 to 1, for a sparkline.
        has_trajectory: whether the states of the ODE were kept.
        sweep: name of its sweep, or "".
        parent: id of the run from which this one was made by making one chunk again, or "".
        remade_chunk: index of this chunk, or None.
        measured: measure to value, as far as measures.json has them.
        retaken: chunks of which another take than the first is chosen.
        n_failed: chunks that could not be made.
        is_link: whether its folder is a symbolic link; deleting the run removes only the link.
    """

    id: str
    created_at: str
    model: str
    voice: str
    text: str
    seconds: float
    total_seconds: float
    rtf: float | None
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
    n_reused: int = 0
    measured: dict[str, Any] = field(default_factory=dict, hash=False)
    retaken: int = 0
    n_failed: int = 0

    @property
    def remade_number(self) -> int | None:
        """Number of the chunk that was made again, from 1; None if none was."""
        return None if self.remade_chunk is None else self.remade_chunk + 1

    @property
    def remade(self) -> str:
        """Which chunks were spoken again, for a list; "" if none was."""
        again = [] if self.remade_number is None else [f"chunk {self.remade_number}"]
        again += [f"{self.retaken} {'take' if self.retaken == 1 else 'takes'}"] if self.retaken else []
        return ", ".join(again)

    @property
    def reused(self) -> str:
        """How many chunks were read from the chunk store, for a list: "all", "1 of 3", or "" if none was."""
        if not self.n_reused:
            return ""
        return "all" if self.n_reused == self.n_chunks else f"{self.n_reused} of {self.n_chunks}"

    @property
    def is_long(self) -> bool:
        """Return whether the run has too many chunks to be drawn or read as a whole, as ``Run.is_long``."""
        return self.n_chunks > rules.LONG_RUN_CHUNKS

    @property
    def times(self) -> measures.Times:
        """Return the times for measures of a run, without the stages, which lists do not read."""
        return measures.Times(self.seconds, self.total_seconds, self.first_audio_seconds, rtf=self.rtf)

    @cached_property
    def searched(self) -> str:
        """Return the text in which words are searched (``finding.query``), in lower case with single spaces."""
        known = [self.id, self.text, self.note, self.voice, self.model, self.device, self.sweep, self.created_at]
        known += [f"{name}={value}" for name, value in (self.load | self.settings).items()]
        return " ".join(" ".join(known).casefold().split())


def summary_of(folder: Path) -> RunSummary:
    """Read the summary of the run in ``folder``, without checking its arrays.

    Raises:
        RunError: run.json is missing, cannot be read, or is damaged.
    """
    return read_rows(folder)[0]


def read_rows(folder: Path) -> tuple[RunSummary, list[dict[str, Any]]]:
    """Read the summary of the run in ``folder`` and one row per chunk. Raises as ``summary_of``."""
    document = document_of(folder)
    measured = read_measured(folder)
    return _summary(folder, document, measured), chunk_rows_of(document, measured)


def _summary(folder: Path, document: RunDocument, measured: Measured | None) -> RunSummary:
    notes = read_notes(folder)
    return RunSummary(
        id=folder.name,
        created_at=document["created_at"],
        model=document["model"],
        voice=_voices(document),
        text=document["text"],
        seconds=document["audio_seconds"],
        total_seconds=document["total_seconds"],
        rtf=measures.Times.of_run({**document}).rtf,
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
        load=load_as_made(
            document["request"]["load"],
            document["device"],
            document["dtype"],
            document["environment"],
            document["weights"],
        ),
        n_reused=sum(row.get("made") == REUSED for row in document["chunks"]),
        retaken=sum(take > 1 for take in document["takes"]),
        n_failed=sum(row.get("made") == FAILED for row in document["chunks"]),
        measured={name: value for name, value in measured.run.items() if value is not None} if measured else {},
    )


def _voices(document: RunDocument) -> str:
    """Name of the voice; of a script, those of all speakers."""
    script = document["request"].get("script")
    return ", ".join(one["name"] for one in script["speakers"]) if script else document["voice"]


MEASURED = measures.of_every_cost(measures.SOUND)
"""Measures that measures.json may hold: a column each, of runs and of chunks."""

# Columns of a chunk in the index, with their SQL types: values of the plan, then measured values. Chunks count from 1.
CHUNK_COLUMNS = {
    "run_id": "TEXT", "chunk": "INTEGER", "text": "TEXT", "n_bytes": "INTEGER", "duration_frames": "INTEGER",
    "new_frames": "INTEGER", "planned_seconds": "REAL", "seed": "INTEGER", "audio_seconds": "REAL",
    "total_seconds": "REAL", "n_evaluations": "INTEGER", "made": "TEXT",
    **{m.name: "REAL" for m in (*measures.every(measures.CHUNK), *MEASURED)},
}  # fmt: skip


def chunk_rows_of(document: RunDocument, measured: Measured | None = None) -> list[dict[str, Any]]:
    """Return one row per chunk of ``document`` with the keys ``CHUNK_COLUMNS``."""
    rows = []
    for index, (plan, made) in enumerate(zip(document["plans"], document["chunks"], strict=True)):
        known: dict[str, Any] = {"made": "", **plan, **made, "run_id": document["id"], "chunk": index + 1}
        known |= measures.values(measures.CHUNK, measures.Times.of_chunk(made))
        found = measured.chunks[index] if measured and index < len(measured.chunks) else {}
        known |= {m.name: found.get(m.name) for m in MEASURED}
        rows.append({name: known[name] for name in CHUNK_COLUMNS})
    return rows
