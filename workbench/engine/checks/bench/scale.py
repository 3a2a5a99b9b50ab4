"""Measure time and memory per chunk in runs of 1 to 300 chunks; neither should grow."""

from __future__ import annotations

import math
import time
from typing import Any

import psutil

from workbench.engine.checks.bench.sampling import (
    SENTENCES,
    OnRound,
    check_counts,
    one_sentence_a_chunk,
    peak_memory,
    quartiles,
    subject,
)
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.voices import Voice

SIZES = (1, 3, 10, 30, 100, 300)
TOLERANCE = 0.05
_SMALL = 10  # a shorter run is repeated until it has as many chunks: a single chunk says little


def scale(engine: Engine, voice: Voice, *, nfe_step: int = 7, largest: int = SIZES[-1], rounds: int = 3,
          on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Time runs of 1 to ``largest`` chunks of one length, from the shortest to the longest and back.

    Returns:
        The JSON document of ``bench scale``: for each size seconds a chunk with quartiles, the growth of memory beyond
        what the run itself holds (its waves and mels); the largest deviation of a size's median from that of all, and
        whether it stays within 5 %.
    """
    check_counts(largest=largest, rounds=rounds)
    settings = one_sentence_a_chunk(nfe_step)
    sizes = sorted({*(size for size in SIZES if size < largest), largest})
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    memory: dict[int, dict[str, int]] = {}
    engine.run(SENTENCES[0], voice, settings)  # the first run of a length
    for index in range(rounds):
        for size in sizes if index % 2 == 0 else sizes[::-1]:
            spent, memory[size] = _a_chunk(engine, voice, settings, size)
            seconds[size].append(spent)
        if on_round:
            told = ", ".join(f"{size}: {spent[-1]:.4f}" for size, spent in seconds.items())
            on_round(f"round {index + 1}/{rounds}, seconds a chunk: {told}")
    spreads = {size: quartiles(spent) for size, spent in seconds.items()}
    rows = [{"chunks": size, "seconds_a_chunk": spreads[size], **memory[size]} for size in sizes]
    medians = [spread["median"] for spread in spreads.values()]
    middle = quartiles(medians)["median"]
    deviation = max(abs(m / middle - 1) for m in medians)
    return {
        "benchmark": "scale", **subject(engine, settings), "sizes": rows, "largest_deviation": deviation,
        "tolerance": TOLERANCE, "is_constant": deviation <= TOLERANCE,
    }  # fmt: skip


def _a_chunk(engine: Engine, voice: Voice, settings: SynthesisSettings, size: int) -> tuple[float, dict[str, int]]:
    """Return the seconds per chunk of a run of ``size`` chunks, and its memory in bytes."""
    repeats = math.ceil(_SMALL / size)
    before, spent, held = psutil.Process().memory_info().rss, 0.0, 0
    with peak_memory(engine.loaded.device) as peak:
        for _ in range(repeats):
            began = time.perf_counter()
            run = engine.run(" ".join([SENTENCES[0]] * size), voice, settings)
            spent += time.perf_counter() - began
            held = sum(c.wave.nbytes + c.mel.nbytes for c in run.chunks) + run.wave.nbytes
    grown = max(0, peak.n_bytes - before)
    return spent / (repeats * size), {
        "peak_growth_bytes": grown, "run_bytes": held, "beside_bytes": max(0, grown - held),
    }  # fmt: skip
