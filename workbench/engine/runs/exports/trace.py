"""Export stages and use of the machine as a trace for Chrome and Perfetto."""

from __future__ import annotations

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
MICROSECONDS = 1e6


@export(
    "trace", ".trace.json", "application/json", "Trace", "For chrome://tracing and ui.perfetto.dev", member="trace.json"
)
def trace_json(run: Run) -> str:
    """Return spans and utilisation in the Trace Event format of Chrome. Open it at ui.perfetto.dev.

    The trace has one track per chunk, one for the spans of the whole run and one for loading. Times are in
    microseconds from the start of loading.
    """
    zero = min([span.start_seconds for span in run.spans], default=0.0)
    events: list[dict[str, Any]] = [_named("process_name", 0, f"{run.model}: {run.id}")]
    tracks = sorted({_track(span.chunk_index, span.start_seconds) for span in run.spans})
    events += [_named("thread_name", track, _track_name(track)) for track in tracks]
    for span in run.spans:
        event = {"name": span.name, "cat": "stage", "ph": "X", "pid": 1}
        event["tid"] = _track(span.chunk_index, span.start_seconds)
        event["ts"] = (span.start_seconds - zero) * MICROSECONDS
        event["dur"] = span.seconds * MICROSECONDS
        if span.chunk_index is not None:
            event["args"] = {"chunk": span.chunk_index}
        events.append(event)
    for sample in run.utilisation:
        at = (sample.seconds - zero) * MICROSECONDS
        for name, unit, key, scale in _UTILISATION:
            value = getattr(sample, key)
            if value is not None:
                events.append({"name": name, "ph": "C", "pid": 1, "ts": at, "args": {unit: value * scale}})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"run": run.id}})


def _track(chunk_index: int | None, start_seconds: float) -> int:
    if chunk_index is not None:
        return chunk_index + 2
    return 0 if start_seconds < 0 else 1


def _track_name(track: int) -> str:
    return {0: "loading", 1: "run"}.get(track, f"chunk {track - 1}")


def _named(kind: str, track: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 1, "tid": track, "args": {"name": name}}
