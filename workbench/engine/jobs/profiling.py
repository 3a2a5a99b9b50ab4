"""A run with every operation of the device beside its stages, in one trace for Perfetto."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from workbench.engine import rules
from workbench.engine.errors import SettingsError
from workbench.engine.runs.exports.trace import apart, stage_events
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs

if TYPE_CHECKING:  # it imports torch
    from workbench.engine.speech.results import Run

MAX_PASSES = 2_000  # evaluations of the model, of some thousand operations each: more is no trace that anybody opens
_STAGES_PID = 1_000_000  # above the ids of processes and GPUs that PyTorch writes
_CLOCK = "workbench.clock"
_READINGS = 5


def check_size(settings: SynthesisSettings, n_chunks: int) -> None:
    """Raise SettingsError if a profile of ``n_chunks`` would be too large to be opened."""
    if n_chunks > rules.LONG_RUN_CHUNKS:
        raise SettingsError(
            f"A text of {n_chunks:,} chunks is too long for a profile.", remedy="Profile a shorter one."
        )
    n_passes = costs.passes(settings) * n_chunks
    if n_passes > MAX_PASSES:
        raise SettingsError(
            f"A profile of {n_chunks:,} chunks holds {n_passes:,} evaluations of the model, more than {MAX_PASSES:,}.",
            remedy="Profile a shorter text, or fewer ODE steps.",
        )


def profiled(device: str, make: Callable[[], tuple[Run, float]]) -> tuple[Run, bytes]:
    """Call ``make`` under PyTorch's profiler.

    Args:
        device: torch device string; the kernels of a GPU are noted too.
        make: makes a run, and returns it with the reading of ``time.perf_counter`` at which its time axis begins.

    Returns:
        The run, and its trace in the Trace Event format of Chrome, gzipped: the run's stages and the use of the
        machine, the operations of PyTorch, and the kernels, on one axis.
    """
    from torch.profiler import ProfilerActivity, profile, record_function

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.startswith("cuda") else [])
    readings = []
    with profile(activities=activities) as profiler:
        for _ in range(_READINGS):
            before = time.perf_counter()
            with record_function(_CLOCK):
                readings.append((before + time.perf_counter()) / 2)
        run, began = make()
    with TemporaryDirectory(prefix="profile-") as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_bytes())["traceEvents"]
    return run, gzip.compress(merged(run, events, readings, began).encode(), 6)


def merged(run: Run, events: list[dict[str, Any]], readings: list[float], began: float) -> str:
    """Return one trace of the profiler's ``events`` and the stages of ``run``.

    Args:
        run: whose stages.
        events: as PyTorch writes them, in microseconds on its own clock.
        readings: of ``time.perf_counter``, one within each event that is called ``workbench.clock``.
        began: reading at which the run's time axis begins.
    """
    marks = sorted((e for e in events if e["name"] == _CLOCK), key=lambda e: float(e["ts"]))
    # the shortest of them says most exactly when it was read
    mark, reading = min(zip(marks, readings, strict=True), key=lambda pair: pair[0]["dur"])
    to_zero = mark["ts"] + mark["dur"] / 2 - (reading - began) * 1e6
    load = min([span.start_seconds for span in run.spans], default=0.0)
    events = [e for e in events if e["ph"] in "XMsf" and isinstance(e["pid"], int) and e["name"] != _CLOCK]
    kept = [e | {"ts": e["ts"] - to_zero - load * 1e6} for e in events]
    ours = [{"name": "process_sort_index", "ph": "M", "pid": _STAGES_PID, "tid": 0, "args": {"sort_index": -1}}]
    ours += stage_events(run, -load, _STAGES_PID)
    return json.dumps(
        {"traceEvents": apart([*ours, *kept]), "displayTimeUnit": "ms", "otherData": {"run": run.id}},
        separators=(",", ":"),
    )
