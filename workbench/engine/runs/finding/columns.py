"""Values of a run that a search can compare and a figure can draw, by name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.engine import measures
from workbench.engine.errors import SettingsError
from workbench.engine.runs.measured.making import GROUPS
from workbench.engine.runs.summary import MEASURED, RunSummary
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.visible import quoted

NUMBER, TEXT, YES_NO = "number", "text", "yes or no"
_KINDS = {"int": NUMBER, "float": NUMBER, "bool": YES_NO}
_ALIASES = {"made": "created_at", "audio_seconds": "seconds", "chunks": "n_chunks", "nfe": "nfe_step"}
_TITLES = {"seconds": "audio (s)", "total_seconds": "total (s)", "n_chunks": "chunks", "n_bytes": "size (bytes)",
           "n_reused": "chunks reused", "remade_chunk": "chunk remade"}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One value of every run.

    Attributes:
        name: as users type it.
        kind: NUMBER, TEXT or YES_NO.
        value: returns it for a run; None if the run does not have it.
        title: for people, with the unit.
    """

    name: str
    kind: str
    value: Callable[[RunSummary], Any]
    title: str


def _kind(annotation: object) -> str:
    return _KINDS.get(str(annotation).split(" | ")[0], TEXT)


def _entry(holder: str, name: str) -> Callable[[RunSummary], Any]:
    """Return what reads ``name`` of a run: a field, or an entry of the field ``holder``."""
    return (lambda run: getattr(run, holder).get(name)) if holder else (lambda run: getattr(run, name))


@cache
def columns() -> dict[str, Column]:
    """Return every column by name: fields of a summary, settings, load settings, measures."""
    every = {m.name: m for m in measures.of_every_cost()}
    found: dict[str, Column] = {}

    def add(name: str, kind: str, value: Callable[[RunSummary], Any]) -> None:
        title = every[name].title if name in every else _TITLES.get(name, name)
        found.setdefault(name, Column(name, kind, value, title))

    for f in dataclasses.fields(RunSummary):
        if not str(f.type).startswith(("dict", "tuple")):
            add(f.name, _kind(f.type), _entry("", "remade_number" if f.name == "remade_chunk" else f.name))
    for owner, holder in ((SynthesisSettings, "settings"), (LoadSettings, "load")):
        for f in dataclasses.fields(owner):
            add(f.name, _kind(f.type), _entry(holder, f.name))
    for m in MEASURED:
        add(m.name, NUMBER, _entry("measured", m.name))
    return found


def column(typed: str) -> tuple[Column, float]:
    """Return the column that ``typed`` names, and how many of its units are one unit of ``typed``.

    Upper and lower case are the same. A name without ``_percent`` is a fraction: ``wer`` is ``wer_percent`` / 100.

    Raises:
        SettingsError: there is no such column.
    """
    known, name = columns(), typed.casefold()
    name = _ALIASES.get(name, name)
    if name in known:
        return known[name], 1.0
    if f"{name}_percent" in known:
        return known[f"{name}_percent"], 100.0
    if name in GROUPS:
        return known[GROUPS[name][0]], 1.0
    near = difflib.get_close_matches(name, [*known, *GROUPS], n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise SettingsError(
        f"Runs have no value {quoted(typed)} to compare.",
        remedy=f'{meant}For words with <, > or = use quotes: "{typed[:20]}=".',
    )


def numeric(runs: list[RunSummary]) -> list[Column]:
    """Return the columns of numbers that at least one of ``runs`` has; measures and times before settings."""
    settings = {f.name for owner in (SynthesisSettings, LoadSettings) for f in dataclasses.fields(owner)}
    order = sorted(columns().values(), key=lambda one: one.name in settings)
    return [one for one in order if one.kind == NUMBER and any(one.value(run) is not None for run in runs)]
