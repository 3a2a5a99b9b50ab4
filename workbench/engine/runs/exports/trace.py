"""Export stages and use of the machine as a trace for Chrome and Perfetto."""

from __future__ import annotations

import itertools
import json
from typing import Any

from workbench.engine.runs.exports.registry import export
from workbench.engine.speech.results import Run

_UTILISATION = (
    ("cpu", "percent", "cpu_percent", 1.0),
    ("cpu of this process", "percent", "process_cpu_percent", 1.0),
    ("memory", "MB", "memory_bytes", 1e-6),
    ("gpu", "percent", "gpu_percent", 1.0),
    ("gpu memory", "MB", "gpu_memory_bytes", 1e-6),
)
_ROUNDING = 1.0  # microseconds
_FURTHER_TRACKS = 2_000_000_000  # above the ids of threads


@export(
    "trace", ".trace.json", "application/json", "Trace", "For chrome://tracing and ui.perfetto.dev", member="trace.json"
)
def trace_json(run: Run) -> str:
    """Return spans and utilisation in the Trace Event format of Chrome. Open it at ui.perfetto.dev.

    The trace has one track per chunk, one for the spans of the whole run and one for loading. Times are in
    microseconds from the start of loading.
    """
    zero = min([span.start_seconds for span in run.spans], default=0.0)
    events = apart(stage_events(run, -zero))
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"run": run.id}})


def stage_events(run: Run, shift_seconds: float, pid: int = 1) -> list[dict[str, Any]]:
    """Return the events of the spans and utilisation of ``run``, each ``shift_seconds`` later than on its own axis."""
    events: list[dict[str, Any]] = [_named("process_name", 0, f"{run.model}: {run.id}", pid)]
    tracks = sorted({_track(span.chunk_index, span.start_seconds) for span in run.spans})
    events += [_named("thread_name", track, _track_name(track), pid) for track in tracks]
    for span in run.spans:
        start = _microseconds(span.start_seconds + shift_seconds)
        event: dict[str, Any] = {"name": span.name, "cat": "stage", "ph": "X", "pid": pid, "ts": start}
        event["tid"] = _track(span.chunk_index, span.start_seconds)
        event["dur"] = _microseconds(span.end_seconds + shift_seconds) - start
        if span.chunk_index is not None:
            event["args"] = {"chunk": span.chunk_index + 1}  # as in the names of tracks
        events.append(event)
    for sample in run.utilisation:
        at = _microseconds(sample.seconds + shift_seconds)
        for name, unit, key, scale in _UTILISATION:
            value = getattr(sample, key)
            if value is not None:
                events.append({"name": name, "ph": "C", "pid": pid, "ts": at, "args": {unit: value * scale}})
    return events


def apart(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ``events`` so that two slices of one track are nested or apart, as Perfetto needs them.

    A slice that begins within another one and ends after it goes to a further track of the same name. It is shortened
    instead where it exceeds the other by no more than a microsecond, which is rounding.
    """
    tracks: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    for event in events:
        if event["ph"] == "X":
            tracks.setdefault((event["pid"], event.get("tid")), []).append(event)
    names = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = [event for event in events if event["ph"] != "X"]
    further = itertools.count(_FURTHER_TRACKS)
    for (pid, tid), slices in tracks.items():
        open_ends: list[list[float]] = []  # of each lane, from the outermost slice to the innermost
        tids = [tid]
        for event in sorted(slices, key=lambda e: (e["ts"], -e["dur"])):
            lane, end = _lane(open_ends, event["ts"], event["ts"] + event["dur"])
            if lane == len(tids):
                tids.append(next(further))
                found.append(_named("thread_name", tids[lane], f"{names.get((pid, tid), tid)} ({lane + 1})", pid))
            found.append(event | {"tid": tids[lane], "dur": end - event["ts"]})
    return found


def _lane(open_ends: list[list[float]], start: float, end: float) -> tuple[int, float]:
    """Return the first lane that takes a slice from ``start`` to ``end``, and its end there; the lane holds it then."""
    for lane, ends in enumerate(open_ends):
        while ends and ends[-1] <= start:
            ends.pop()
        if not ends or end <= ends[-1] + _ROUNDING:
            ends.append(min([end, *ends[-1:]]))
            return lane, ends[-1]
    open_ends.append([end])
    return len(open_ends) - 1, end


def _microseconds(seconds: float) -> float:
    """Return ``seconds`` in whole nanoseconds, as microseconds: what is nested stays nested."""
    return round(seconds * 1e9) / 1e3


def _track(chunk_index: int | None, start_seconds: float) -> int:
    if chunk_index is not None:
        return chunk_index + 2
    return 0 if start_seconds < 0 else 1


def _track_name(track: int) -> str:
    return {0: "loading", 1: "run"}.get(track, f"chunk {track - 1}")


def _named(kind: str, track: int, name: str, pid: int) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": pid, "tid": track, "args": {"name": name}}
