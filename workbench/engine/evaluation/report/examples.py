"""The worst utterances of each measure, with their sound."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.engine.errors import WorkbenchError
from workbench.engine.runs.store import load_run
from workbench.engine.signal.audio import to_bytes

WORST = 5  # examples of a measure
MEASURES_MAX = 4  # with examples; the first of those that were asked for
SOUND_BYTES_MAX = 24 * 2**20  # of all sounds in one page


@dataclass(frozen=True)
class Example:
    """One of the worst utterances of a measure: its row in the results, and its value."""

    measure: str
    row: Mapping[str, Any]
    value: float


def worst(document: Mapping[str, Any]) -> list[Example]:
    """Return the worst utterances of each measure of the sound that has a better direction, the worst first."""
    found = []
    chosen = [name for name, m in document["measures"].items() if m["better"] and name != "rtf"][:MEASURES_MAX]
    for name in chosen:
        sign = -1 if document["measures"][name]["better"] == "lower" else 1
        rows = [row for row in document["utterances"] if row["values"].get(name) is not None]
        rows.sort(key=lambda row: (sign * row["values"][name], row["id"]))
        found += [Example(name, row, row["values"][name]) for row in rows[:WORST]]
    return found


def sound_of(run_id: str) -> str:
    """Return the speech of a run as a data URL of a FLAC file; "" if the run was deleted or is damaged."""
    try:
        run = load_run(run_id, trajectories=False)
    except WorkbenchError:
        return ""
    return "data:audio/flac;base64," + base64.b64encode(to_bytes(run.wave, run.sample_rate, ".flac")).decode()
