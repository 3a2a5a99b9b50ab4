"""Export one row per chunk: plan, times and measures."""

from __future__ import annotations

import csv
import io
from typing import Any

from workbench.engine import measures
from workbench.engine.runs.exports.registry import export
from workbench.engine.speech.results import Run

_FACTS = (
    *("chunk", "n_bytes", "seed", "start_seconds", "planned_seconds", "audio_seconds", "total_seconds"),
    "n_evaluations",
    "made",
    "pause_seconds",
)


@export("csv", ".csv", "text/csv", "Timings, CSV", "One row per chunk: sizes, seconds of each stage, level and pitch",
        member="timings.csv")  # fmt: skip
def timings_csv(run: Run) -> str:
    """Return a CSV with one row per chunk: facts, every measure of a chunk or sound without extra package, text.

    Chunks count from 1, as on the pages and in the TextGrid.
    """
    measured = [m.name for m in measures.every(measures.CHUNK, measures.SOUND) if not m.needs]
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, [*_FACTS, *measured, "text"], lineterminator="\n")
    writer.writeheader()
    for result, start in zip(run.chunks, run.starts, strict=True):
        row = result.as_dict()
        found = {name: row[name] for name in (*_FACTS, "text") if name in row}
        found |= {"chunk": row["index"] + 1, "start_seconds": start / run.sample_rate}
        found |= measures.values(measures.CHUNK, measures.Times.of_chunk(row), light=True)
        found |= measures.values(measures.SOUND, measures.Sound.of_chunk(result, run.mel_config), light=True)
        writer.writerow({name: _rounded(value) for name, value in found.items()})
    return sheet.getvalue()


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
