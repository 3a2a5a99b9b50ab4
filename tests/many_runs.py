"""Thousands of run folders in seconds, for tests and measurements of lists.

``python -m tests.many_runs 5000`` writes them into the runs/ of ``WORKBENCH_HOME`` and says how long lists take there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.engine.runs.document import FORMAT_VERSION
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest, VoiceRef

N_CHUNKS, N_STEPS = 5, 32
_WORDS = ["some", "call", "me", "nature", "others", "call", "me", "mother", "nature", "and", "billions", "of", "years"]


def document(number: int) -> dict[str, Any]:
    """run.json of run ``number``, of the size that a paragraph's has: 5 chunks of 32 steps."""
    texts = [f"{' '.join(_WORDS[(number + k) % 7 :])} {number}." for k in range(N_CHUNKS)]
    rows, plans, spans = [], [], []
    for k, text in enumerate(texts):
        steps = [0.0517 + (number * 31 + k * 7 + j) % 100 / 1e4 for j in range(N_STEPS)]
        row = {"index": k, "text": text, "n_bytes": len(text), "seed": number + k, "planned_seconds": 6.2,
               "audio_seconds": 6.2, "text_seconds": 0.0121, "ode_seconds": sum(steps), "vocoder_seconds": 0.212,
               "total_seconds": sum(steps) + 0.225, "step_seconds": steps, "n_evaluations": N_STEPS, "rtf": 0.31,
               "warnings": []}  # fmt: skip
        rows.append(row)
        plans.append({"index": k, "text": text, "n_bytes": len(text), "duration_frames": 1100 + k * 13 + number % 40,
                      "new_frames": 581, "planned_seconds": 6.2, "seed": number + k, "warnings": []})  # fmt: skip
        spans += [{"name": name, "start_seconds": k * 2.0 + at, "seconds": 0.3, "chunk_index": k}
                  for at, name in enumerate(("text", "ode", "vocoder"))]  # fmt: skip
    settings = SynthesisSettings(nfe_step=N_STEPS, seed=number, max_chunk_bytes=100 + number % 50)
    voice = VoiceRef(
        "0" * 64, ("Nora", "Paul", "Mia")[number % 3], "Some call me nature, others call me mother nature."
    )
    request = SpeechRequest(" ".join(texts), voice, settings)
    return {
        "request": request.as_dict(), "weights": {"acoustic": "0" * 64, "vocoder": "0" * 64},
        "format_version": FORMAT_VERSION, "id": run_id(number), "created_at": "2026-11-23T07:15:00.123456+00:00",
        "model": request.model, "voice": voice.name, "voice_id": voice.id, "ref_text": voice.ref_text,
        "text": request.text, "device": "cpu",
        "dtype": "fp32", "settings": settings.as_dict(), "load_seconds": 1.4, "time_to_first_audio_seconds": 2.0,
        "total_seconds": 9.5, "audio_seconds": 30.4, "rtf": 0.31, "loads": {"acoustic": 1, "vocoder": 1},
        "chunks": rows, "plans": plans, "spans": spans, "starts_samples": [k * 146_000 for k in range(N_CHUNKS)],
        "environment": {"python": "3.11.7", "machine": "x86_64", "system": "Linux", "threads": "2", "torch": "2.13.0"},
        "mel_config": {"target_sample_rate": 24_000, "n_fft": 1024, "win_length": 1024, "hop_length": 256,
                       "n_mel_channels": 100, "mel_spec_type": "vocos"},
        "utilisation": [{"seconds": t / 2, "cpu_percent": 91.5, "process_cpu_percent": 188.0, "memory_bytes": 10**9,
                         "gpu_percent": None, "gpu_memory_bytes": None} for t in range(20)],
        "envelope": [round((number * 17 + k * 29) % 1000 / 1000, 3) for k in range(96)],
        "has_trajectory": False, "sweep": "", "parent": "", "remade_chunk": None,
    }  # fmt: skip


def run_id(number: int) -> str:
    """The id of run ``number``; they sort by it."""
    return f"20260101-{number // 3600 % 24:02d}{number // 60 % 60:02d}{number % 60:02d}-{number:08x}"


def write_runs(root: Path, n_runs: int, first: int = 0) -> list[Path]:
    """Folders of runs ``first`` and the ``n_runs`` - 1 after it in ``root``, without their sound. Returns them."""
    made = []
    for number in range(first, first + n_runs):
        folder = root / run_id(number)
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(document(number), separators=(",", ":")), "utf-8")
        for name in ("chunks.npz", "audio.wav"):
            (folder / name).write_bytes(b"x")
        if number % 10 == 0:
            (folder / "notes.json").write_text('{"note": "heard", "star": true}', "utf-8")
        made.append(folder)
    return made


def _measure(n_runs: int) -> None:
    from workbench.engine.runs import store
    from workbench.engine.runs.finding import query as search

    if not os.environ.get("WORKBENCH_HOME"):
        sys.exit("WORKBENCH_HOME is not set")
    if not store.runs_root().exists():
        write_runs(store.runs_root(), n_runs)
    _timed("first list", store.list_runs)
    for name in ("second list", "third list"):
        _timed(name, store.list_runs)
    for query in ("nature", "seed=4321 nora", "nfe_step>=7 rtf<0.4 voice=Nora mother"):
        _timed(f"search for {query!r}", lambda query=query: search.find(store.list_runs(), query))


def _timed(what: str, do: Callable[[], list[Any]]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    n = len(do())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: {n:,} runs in {wall:.3f} s, {cpu:.3f} s of a processor")


if __name__ == "__main__":
    _measure(int(sys.argv[1]))
