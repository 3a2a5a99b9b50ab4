"""The journal of a run in the making: one line a finished chunk, with its plan, what was measured, and its sha256."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from workbench.engine.runs.document import MAX_BYTES, Plan, Row

JOURNAL = "chunks.jsonl"
_JOURNAL_MAX_BYTES = 4 * MAX_BYTES  # a chunk made again has several lines


@with_config(ConfigDict(strict=True, extra="ignore"))
class Noted(TypedDict):
    """A finished chunk."""

    plan: Plan
    row: Row
    sha256: str


_NOTED = TypeAdapter(Noted)


def read_journal(folder: Path) -> list[Noted]:
    """Return the noted chunks; a line that a crash cut short is not one."""
    found: list[Noted] = []
    path = folder / JOURNAL
    with contextlib.suppress(OSError):
        if not path.is_file() or path.stat().st_size > _JOURNAL_MAX_BYTES:  # not a file that was written here
            return found
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValidationError):
                    found.append(_NOTED.validate_json(line))
    return found
