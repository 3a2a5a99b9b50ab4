"""Results of a sweep as rows, as CSV and Parquet, and summarised over repeats and seeds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.engine.sweeps.grid import Trial
from workbench.engine.sweeps.records import Record

TIMES = ("load_seconds", "warm_up_seconds")  # of the worker, beside the measures
_REPEATED = ("seed",)  # axes that only change the noise of a point


def rows(trials: Sequence[Trial], done: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return one row per finished one of ``trials``: request, measures, worker.

    Columns: trial, run, error, finished_at, repeat; ``text`` to ``load`` settings; each measure; the worker's name,
    host, loads, load_seconds, warm_up_seconds; attempts. Every row has every column.
    """
    found = [_row(trial, done[trial.id]) for trial in sorted(trials, key=_place) if trial.id in done]
    columns = dict.fromkeys(name for row in found for name in row)
    return [{name: row.get(name) for name in columns} for row in found]


def _place(trial: Trial) -> tuple[Any, ...]:
    """Return a sort key in the order of the grid: numbers by size, other values by name."""
    return (*((isinstance(v, str), v if isinstance(v, (int, float)) else 0, str(v)) for v in trial.values.values()),
            trial.repeat)  # fmt: skip


def _row(trial: Trial, record: Record) -> dict[str, Any]:
    request, worker = trial.request, record.worker
    axes = {name: value for name, value in trial.values.items() if name == "duration_factor"}
    return {
        "trial": trial.id, "run": record.run, "error": record.error, "finished_at": record.finished_at,
        "repeat": trial.repeat, "model": request.model, "voice": ", ".join(voice.name for voice in request.voices),
        "text": request.text,
        **request.settings.as_dict(), **request.load.as_dict(), **axes, **record.measures,
        "worker": worker.get("name", ""), "host": worker.get("host", ""), "worker_pid": worker.get("pid"),
        "worker_loads": worker.get("loads"), "load_seconds": worker.get("load_seconds"),
        "warm_up_seconds": worker.get("warm_up_seconds"), "attempts": record.attempts,
    }  # fmt: skip


def summed_up(found: Sequence[Mapping[str, Any]], axes: Sequence[str], measure: str) -> list[dict[str, Any]]:
    """Return median and quartiles of ``measure`` at each point of ``axes``, over its repeats and seeds.

    Returns:
        One row per point: its axes, n, median, q1, q3, iqr.
    """
    kept = [axis for axis in axes if axis not in _REPEATED]
    points: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        if not row["error"] and row.get(measure) is not None:
            points.setdefault(json.dumps([row[axis] for axis in kept], default=str), []).append(row)
    made = []
    for group in points.values():
        numbers = np.array([row[measure] for row in group], float)
        low, middle, high = (float(q) for q in np.percentile(numbers, [25, 50, 75]))
        made.append({**{axis: group[0][axis] for axis in kept}, "n": len(group), "median": middle,
                     "q1": low, "q3": high, "iqr": high - low})  # fmt: skip
    return made


def pareto(points: Sequence[tuple[float, float]], better: tuple[str, str] = ("lower", "lower")) -> list[int]:
    """Return the indices of the Pareto front of ``points``, sorted by the first coordinate.

    ``better`` states "lower" or "higher" for each coordinate.
    """
    signed = [tuple(-v if way == "higher" else v for v, way in zip(p, better, strict=True)) for p in points]
    front, best = [], float("inf")
    for k in sorted(range(len(points)), key=lambda k: signed[k]):
        if signed[k][1] < best:
            best = signed[k][1]
            front.append(k)
    return front


def as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """Return ``found`` as comma-separated values with a heading; empty without rows."""
    sheet = io.StringIO()
    if found:
        writer = csv.DictWriter(sheet, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    return sheet.getvalue()


def as_parquet(found: Sequence[Mapping[str, Any]]) -> bytes:
    """Return ``found`` as the bytes of a Parquet file. A column with several types becomes text."""
    import pyarrow
    from pyarrow import parquet

    columns = {name: [row[name] for row in found] for name in (found[0] if found else {"trial": None})}
    for name, values in columns.items():
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            columns[name] = [None if value is None else str(value) for value in values]
        elif kinds == {int, float}:
            columns[name] = [None if value is None else float(value) for value in values]
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()
