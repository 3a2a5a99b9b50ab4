"""A run in the formats of other tools: sound, CSV, Praat TextGrid, a trace for Perfetto, and all of it in a zip."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from typing import Any

import numpy as np

from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.results import Run

_COLUMNS = (
    *("index", "n_bytes", "seed", "start_seconds", "planned_seconds", "audio_seconds", "text_seconds", "ode_seconds"),
    *("vocoder_seconds", "total_seconds", "rtf", "n_evaluations", "mean_step_seconds", "pause_seconds"),
    "text",
)
_UTILISATION = (
    ("cpu", "percent", "cpu_percent", 1.0),
    ("cpu of this process", "percent", "process_cpu_percent", 1.0),
    ("memory", "MB", "memory_bytes", 1e-6),
    ("gpu", "percent", "gpu_percent", 1.0),
    ("gpu memory", "MB", "gpu_memory_bytes", 1e-6),
)
MICROSECONDS = 1e6


def wav(run: Run) -> bytes:
    """The speech, 16 bit, at its true level."""
    return to_bytes(run.wave, run.sample_rate, ".wav")


def flac(run: Run) -> bytes:
    """The speech, without loss, in half the space."""
    return to_bytes(run.wave, run.sample_rate, ".flac")


def timings_csv(run: Run) -> str:
    """One row per chunk: sizes, seconds of each stage, real-time factor. Times are in seconds."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result, start in zip(run.chunks, run.starts, strict=True):
        steps = result.timing.step_seconds
        row = result.as_dict() | {
            "start_seconds": start / run.sample_rate,
            "mean_step_seconds": sum(steps) / len(steps) if steps else 0.0,
        }
        writer.writerow({name: _rounded(row[name]) for name in _COLUMNS})
    return sheet.getvalue()


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def chunk_intervals(run: Run) -> list[tuple[float, float, str]]:
    """(from, to, text) of each chunk in seconds, without gaps: a border is in the middle of its cross-fade.

    A pause is an interval without text.
    """
    rate, total = run.sample_rate, len(run.wave)
    intervals, end = [], 0.0
    for index, (start, result) in enumerate(zip(run.starts, run.chunks, strict=True)):
        if start > end:
            intervals.append((end / rate, start / rate, ""))
        low, high = max(float(start), end), start + len(result.wave)
        if index + 1 < len(run.starts) and run.starts[index + 1] < high:
            high = (run.starts[index + 1] + high) / 2
        intervals.append((low / rate, high / rate, result.chunk.text))
        end = high
    return [*intervals, (end / rate, total / rate, "")] if end < total else intervals


def text_grid(run: Run) -> str:
    """The chunks as a TextGrid in Praat's long text format, one interval tier. Opens beside the WAV in Praat."""
    intervals = chunk_intervals(run)
    end = f"{run.audio_seconds:.6f}"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"']
    lines += ['        name = "chunks"', "        xmin = 0", f"        xmax = {end}"]
    lines += [f"        intervals: size = {len(intervals)}"]
    for i, (low, high, text) in enumerate(intervals, 1):
        shown = " ".join(text.split()).replace('"', '""')  # Praat doubles a quote inside of a string
        lines += [f"        intervals [{i}]:", f"            xmin = {low:.6f}", f"            xmax = {high:.6f}"]
        lines += [f'            text = "{shown}"']
    return "\n".join(lines) + "\n"


def trace_json(run: Run) -> str:
    """Spans and utilisation in the Trace Event format of Chrome and Perfetto: open it at ui.perfetto.dev.

    One track per chunk, one for what belongs to none, one for loading; times in microseconds, loading before 0 is
    shifted so that the trace begins at 0.
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


def everything_zip(run: Run) -> bytes:
    """All of the above, each chunk as WAV, the mel as NumPy array, and run.json."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("speech.wav", wav(run))
        archive.writestr("speech.flac", flac(run))
        archive.writestr("timings.csv", timings_csv(run))
        archive.writestr("chunks.TextGrid", text_grid(run))
        archive.writestr("trace.json", trace_json(run))
        archive.writestr("run.json", json.dumps(run.as_dict(), ensure_ascii=False, indent=1))
        archive.writestr("text.txt", run.text)
        archive.writestr("mel.npy", _npy(run.mel))
        for result in run.chunks:
            name = f"chunks/{result.chunk.index + 1:03d}.wav"
            archive.writestr(name, to_bytes(result.wave, result.sample_rate))
    return packed.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def file_stem(run: Run) -> str:
    """A name for files of this run that is safe on every system."""
    return "f5tts-" + re.sub(r"[^0-9A-Za-z-]", "_", run.id)
