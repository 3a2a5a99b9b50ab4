"""Which takes a run has, which are chosen, and the steps that undo and redo go along. Plain values, and takes.json.

The ledger is one file that is replaced in one step, so a reader sees the state before a change or after it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from workbench.engine.errors import RunError
from workbench.engine.files.writing import write_whole
from workbench.engine.runs.document import Plan, Row, Text, Word, damaged
from workbench.engine.runs.parts.stored import row_of
from workbench.engine.speech.results import ChunkResult

NAME = "takes.json"
FIRST = 1  # number of the take that the run was made with
TAKES_MAX = 99  # of one chunk
STEPS_MAX = 1_000  # that can be undone
_MAX_BYTES = 32 * 2**20
_Number = Annotated[float, Field(allow_inf_nan=False)] | None
_Index = Annotated[int, Field(ge=0, le=10_000_000)]
_Take = Annotated[int, Field(ge=FIRST, le=TAKES_MAX)]
_Key = Annotated[str, Field(pattern=r"^(0|[1-9]\d{0,6})$")]  # the index of a chunk, as JSON has it
_Step = Annotated[list[tuple[_Index, _Take, _Take]], Field(min_length=1)]
Step = tuple[tuple[int, int, int], ...]  # (chunk, take before, take after) of each chunk that it changes


@with_config(ConfigDict(strict=True, extra="ignore"))
class TakeRow(TypedDict):
    """A take after the first, as takes.json has it.

    Its fields: plan and row as in run.json; ``made_at``; ``parent``, the take from which it was made; ``words`` as they
    were typed, None for those of the first take; ``speed``, None for that of the run; ``differs``, what of device,
    number format, weights and environment is other than the run's; ``measured``, measure to value.
    """

    plan: Plan
    row: Row
    made_at: Annotated[str, Field(max_length=40)]
    parent: _Take
    words: Text | None
    speed: Annotated[float, Field(gt=0, le=100)] | None
    differs: Annotated[dict[Word, Word], Field(max_length=200)]
    measured: Annotated[dict[Word, _Number], Field(max_length=200)]


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Document(TypedDict):
    format: Annotated[int, Field(ge=1, le=1)]
    takes: dict[_Key, Annotated[list[TakeRow], Field(min_length=1, max_length=TAKES_MAX - 1)]]
    chosen: dict[_Key, _Take]
    past: Annotated[list[_Step], Field(max_length=STEPS_MAX)]
    future: Annotated[list[_Step], Field(max_length=STEPS_MAX)]


_READER = TypeAdapter(_Document)


def row_for(
    made: ChunkResult,
    *,
    parent: int = FIRST,
    words: str | None = None,
    speed: float | None = None,
    differs: Mapping[str, str] = MappingProxyType({}),
    measured: Mapping[str, float | None] = MappingProxyType({}),
) -> TakeRow:
    """Return the row of the take ``made``, made now."""
    plan = {**dataclasses.asdict(made.chunk), "warnings": list(made.chunk.warnings)}
    return {
        "plan": plan, "row": row_of(made), "made_at": datetime.now(UTC).isoformat(timespec="seconds"),  # type: ignore[typeddict-item]
        "parent": parent, "words": words, "speed": speed, "differs": dict(differs), "measured": dict(measured),
    }  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """The takes of a run and which are chosen. Changes return a new one.

    Attributes:
        takes: index of a chunk to its takes after the first, in order; the first of these is number 2.
        chosen: index of a chunk to the number of its take, where that is not the first.
        past: the steps that led here and can be undone, the last one last.
        future: the steps that were undone, the next one to redo last.
    """

    takes: Mapping[int, tuple[TakeRow, ...]] = field(default_factory=dict)
    chosen: Mapping[int, int] = field(default_factory=dict)
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()

    def number(self, chunk: int) -> int:
        """The take of ``chunk`` that is chosen."""
        return self.chosen.get(chunk, FIRST)

    def count(self, chunk: int) -> int:
        """How many takes ``chunk`` has."""
        return FIRST + len(self.takes.get(chunk, ()))

    def row(self, chunk: int, take: int) -> TakeRow:
        """The row of a take after the first."""
        return self.takes[chunk][take - FIRST - 1]

    @property
    def is_first(self) -> bool:
        """Whether every chunk is as it was first made."""
        return not self.chosen

    def with_take(self, chunk: int, row: TakeRow) -> Ledger:
        """With one more take of ``chunk``, which is not chosen. Raises RunError if there is no room for it."""
        if self.count(chunk) >= TAKES_MAX:
            raise RunError(f"Chunk {chunk + 1} has {TAKES_MAX} takes.", remedy="Speak the text again as a new run.")
        return dataclasses.replace(self, takes={**self.takes, chunk: (*self.takes.get(chunk, ()), row)})

    def with_measured(self, chunk: int, take: int, values: Mapping[str, float | None]) -> Ledger:
        """With ``values`` of the measures of a take after the first."""
        rows = list(self.takes[chunk])
        row = rows[take - FIRST - 1]
        rows[take - FIRST - 1] = {**row, "measured": {**row["measured"], **values}}
        return dataclasses.replace(self, takes={**self.takes, chunk: tuple(rows)})

    def choosing(self, wanted: Mapping[int, int]) -> Ledger:
        """With the takes ``wanted``, chunk to number, as one step; itself if they are chosen already.

        Raises:
            RunError: there is no such take.
        """
        for chunk, take in wanted.items():
            if not FIRST <= take <= self.count(chunk):
                raise RunError(
                    f"Chunk {chunk + 1} has no take {take}.", remedy=f"It has {self.count(chunk)}, counted from 1."
                )
        step = tuple((k, self.number(k), take) for k, take in sorted(wanted.items()) if take != self.number(k))
        return self._after(step, (*self.past, step)[-STEPS_MAX:], ()) if step else self

    def undone(self) -> Ledger:
        """As before the last step. Raises RunError if there is none."""
        if not self.past:
            raise RunError("There is no choice to undo.", remedy="Choose a take first.")
        step = self.past[-1]
        back = tuple((chunk, after, before) for chunk, before, after in step)
        return self._after(back, self.past[:-1], (*self.future, step))

    def redone(self) -> Ledger:
        """As before the last undo. Raises RunError if there is none."""
        if not self.future:
            raise RunError("There is no choice to redo.", remedy="Undo one first.")
        step = self.future[-1]
        return self._after(step, (*self.past, step), self.future[:-1])

    def _after(self, step: Step, past: tuple[Step, ...], future: tuple[Step, ...]) -> Ledger:
        chosen = {**self.chosen, **{chunk: take for chunk, _, take in step}}
        kept = {chunk: take for chunk, take in sorted(chosen.items()) if take != FIRST}
        return dataclasses.replace(self, chosen=kept, past=past, future=future)


# The file ------------------------------------------------------------------------------------------------------------


def read_ledger(folder: Path, n_chunks: int) -> Ledger:
    """Read takes.json of the run in ``folder``; an empty ledger if there is none.

    Raises:
        RunError: it is damaged, was written by a newer version, or does not fit the run.
    """
    path = folder / NAME
    try:
        if not path.exists():
            return Ledger()
        if not path.is_file():  # reading a pipe might never end
            raise ValueError("is not a file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"is larger than {_MAX_BYTES >> 20} MB")
        found = _READER.validate_json(content)
        return _checked(
            Ledger(
                {int(chunk): tuple(rows) for chunk, rows in found["takes"].items()},
                {int(chunk): take for chunk, take in found["chosen"].items()},
                tuple(map(tuple, found["past"])),
                tuple(map(tuple, found["future"])),
            ),
            n_chunks,
        )
    except (OSError, ValueError) as error:  # a ValidationError is a ValueError
        raise _damaged(folder.name, error) from error


def _damaged(run_id: str, error: OSError | ValueError) -> RunError:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:4])
        reason = f"{where[:60]}: {' '.join(first['msg'].split())[:120]}"
    else:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
    found = damaged(run_id, f"{NAME} {reason.rstrip('.')}")
    return RunError(found.what, remedy=f"Delete {NAME} in its folder to go back to the first takes, or restore it.")


def _checked(ledger: Ledger, n_chunks: int) -> Ledger:
    """Return ``ledger`` if it fits a run of ``n_chunks``. Raises ValueError otherwise."""
    for chunk, rows in ledger.takes.items():
        if chunk >= n_chunks:
            raise ValueError(f"has takes of chunk {chunk}, which does not exist")
        for number, row in enumerate(rows, FIRST + 1):
            if row["plan"]["index"] != chunk or row["parent"] >= number:
                raise ValueError(f"take {number} of chunk {chunk} does not belong there")
    steps = [change for step in (*ledger.past, *ledger.future) for change in step]
    named = [*ledger.chosen.items(), *((k, take) for k, *both in steps for take in both)]
    for chunk, take in named:
        if chunk >= n_chunks or take > ledger.count(chunk):
            raise ValueError(f"chooses take {take} of chunk {chunk}, which does not exist")
    return ledger


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write takes.json into ``folder`` in one step. Raises OSError."""
    document = {
        "format": 1,
        "takes": {str(chunk): list(rows) for chunk, rows in sorted(ledger.takes.items())},
        "chosen": {str(chunk): take for chunk, take in ledger.chosen.items()},
        "past": ledger.past,
        "future": ledger.future,
    }
    write_whole(folder / NAME, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
