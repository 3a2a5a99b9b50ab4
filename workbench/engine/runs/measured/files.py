"""Keep the measures of a run in measures.json beside run.json, which never changes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from workbench.engine.errors import OutputError, RunError, reason_of, remedy_for
from workbench.engine.files.writing import write_json
from workbench.engine.measures.intelligibility import EXTRA, MISSING, REPEATED, SAME, WRONG, Step
from workbench.engine.runs.takes.ledger import FIRST, TAKES_MAX, Ledger, read_ledger

NAME = "measures.json"
_PROBLEMS = {MISSING: "words missing", REPEATED: "words repeated", WRONG: "words wrong", EXTRA: "words too much"}
_MAX_BYTES = 16 * 2**20
_Number = Annotated[float, Field(allow_inf_nan=False)] | None
_Word = Annotated[str, Field(max_length=300)]
_Text = Annotated[str, Field(max_length=20_000)]
_Values = Annotated[dict[_Word, _Number], Field(max_length=200)]


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Step(TypedDict):
    kind: Literal["same", "wrong", "missing", "extra", "repeated"]
    wanted: _Text
    heard: _Text


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Document(TypedDict):
    format: Literal[1]
    run: _Values
    chunks: Annotated[list[_Values], Field(max_length=100_000)]
    steps: Annotated[list[list[_Step]], Field(max_length=100_000)]
    heard: Annotated[list[_Text], Field(max_length=100_000)]
    recogniser: _Word
    language: _Word
    measured_at: _Word
    takes: NotRequired[Annotated[list[Annotated[int, Field(ge=1, le=TAKES_MAX)]], Field(max_length=100_000)]]


_READER = TypeAdapter(_Document)


@dataclass(frozen=True)
class Measured:
    """What was measured of a run.

    Attributes:
        run: measure to value of the whole run; None where there was nothing to measure.
        chunks: the same of each chunk, in order.
        steps: of each chunk, from its words to what was heard; empty where nobody listened.
        heard: what was heard of each chunk; empty likewise.
        recogniser: who listened, or "".
        language: the language that was heard, ISO 639-1, or "".
        measured_at: ISO 8601, UTC.
        takes: number of the take of each chunk that was measured; () where all are the first.
        outdated: indices of chunks of which another take is chosen now. Nothing is known of their words, and of the
            whole run nothing at all.
    """

    run: dict[str, float | None]
    chunks: tuple[dict[str, float | None], ...]
    steps: tuple[tuple[Step, ...], ...] = ()
    heard: tuple[str, ...] = ()
    recogniser: str = ""
    language: str = ""
    measured_at: str = ""
    takes: tuple[int, ...] = ()
    outdated: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"format": 1, **dataclasses.asdict(self)}

    def now(self, ledger: Ledger) -> Measured:
        """These measures as far as they are of the takes that are chosen in ``ledger``."""
        then = dict(enumerate(self.takes))
        old = tuple(k for k in range(len(self.chunks)) if then.get(k, FIRST) != ledger.number(k))
        if not old:
            return self
        chunks, steps, heard = list(self.chunks), list(self.steps), list(self.heard)
        for k in old:
            take = ledger.number(k)
            chunks[k] = dict(ledger.row(k, take)["measured"]) if take != FIRST else {}
            steps[k : k + 1], heard[k : k + 1] = [()] * bool(steps), [""] * bool(heard)
        return dataclasses.replace(
            self, run={}, chunks=tuple(chunks), steps=tuple(steps), heard=tuple(heard), outdated=old
        )

    def over(self, older: Measured | None) -> Measured:
        """These measures, and those of ``older`` that were not made again."""
        if older is None or len(older.chunks) != len(self.chunks):
            return self
        chunks = tuple(old | new for old, new in zip(older.chunks, self.chunks, strict=True))
        listened = self if self.recogniser else older
        return dataclasses.replace(
            self, run=older.run | self.run, chunks=chunks, steps=listened.steps, heard=listened.heard,
            recogniser=listened.recogniser, language=listened.language,
        )  # fmt: skip


def read_measured(folder: Path) -> Measured | None:
    """Read the measures of the run in ``folder``, as far as they are of the takes that are chosen.

    None if there are none, or their file or that of the takes is damaged.
    """
    path = folder / NAME
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            found = _READER.validate_json(file.read(_MAX_BYTES))
    except (OSError, ValidationError):
        return None
    steps = tuple(tuple(Step(**step) for step in row) for row in found["steps"])
    measured = Measured(
        found["run"], tuple(found["chunks"]), steps, tuple(found["heard"]), found["recogniser"], found["language"],
        found["measured_at"], tuple(found.get("takes", ())),
    )  # fmt: skip
    try:
        return measured.now(read_ledger(folder, len(measured.chunks)))
    except RunError:
        return None


def write_measured(folder: Path, measured: Measured) -> Path:
    """Write ``measured`` into ``folder`` in one step; return the path.

    Raises:
        RunError: the run was deleted meanwhile.
        OutputError: the file cannot be written.
    """
    if not folder.is_dir():
        raise RunError(f"There is no run {folder.name}.", remedy="It may have been deleted.")
    try:
        return write_json(folder / NAME, measured.as_dict())
    except (OSError, ValueError) as error:
        raise OutputError(
            f"The measures of {folder.name} cannot be written: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error


def flagged(measured: Measured) -> dict[int, str]:
    """Return index to what is wrong, in words, of each chunk in which words are wrong, missing or repeated."""
    found = {}
    for index, steps in enumerate(measured.steps):
        kinds = {step.kind for step in steps} - {SAME}
        if kinds:
            found[index] = ", ".join(words for kind, words in _PROBLEMS.items() if kind in kinds)
    return found
