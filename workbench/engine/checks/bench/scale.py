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
from workbench.engine.speech.assembling import BeginLongRun
from workbench.engine.speech.chunks import ChunkResult
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.voices import Voice

SIZES = (1, 3, 10, 30, 100, 300)
TOLERANCE = 0.05
MEMORY_TOLERANCE_BYTES = 64 * 2**20
_SMALL = 10  # a shorter run is repeated until it has as many chunks: a single chunk says little
_PROBES = 30  # in a run, at most: runs of one chunk, timed between its chunks


def scale(engine: Engine, voice: Voice, *, nfe_step: int = 7, largest: int = SIZES[-1], rounds: int = 3,
          begin_long: BeginLongRun | None = None, on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Time runs of 1 to ``largest`` chunks of one length, from the shortest to the longest and back.

    A long run takes minutes, in which the speed of a machine drifts by more than what is looked for. So runs of one
    chunk are timed between the chunks of every run, and each cost is told as a multiple of theirs.
    ``begin_long`` keeps the chunks of runs with more than ``rules.LONG_RUN_CHUNKS`` on disk, as the workbench does.

    Returns:
        The JSON document of ``bench scale``: for each size seconds a chunk and their ratio to those of a run of one
        chunk at the same time, with quartiles, and the growth of memory, in all and beyond what the run itself holds
        there (its waves and mels); the largest deviation of a size's median ratio from that of all, and whether it
        stays within 5 %; whether memory beyond the run stays within 64 MiB.
    """
    check_counts(largest=largest, rounds=rounds)
    settings = one_sentence_a_chunk(nfe_step)
    sizes = sorted({*(size for size in SIZES if size < largest), largest})
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    ratios: dict[int, list[float]] = {size: [] for size in sizes}
    memory: dict[int, dict[str, int]] = {size: {} for size in sizes}
    engine.run(SENTENCES[0], voice, settings)  # the first run of a length
    for index in range(rounds):
        for size in sizes if index % 2 == 0 else sizes[::-1]:
            spent, alone, used = _a_chunk(engine, voice, settings, size, begin_long)
            seconds[size].append(spent)
            ratios[size].append(spent / alone)
            memory[size] = {name: max(n, memory[size].get(name, 0)) for name, n in used.items()}
        if on_round:
            told = ", ".join(f"{size}: {spent[-1]:.4f} ({ratios[size][-1]:.3f})" for size, spent in seconds.items())
            on_round(f"round {index + 1}/{rounds}, seconds a chunk (over one alone): {told}")
    spreads = {size: quartiles(found) for size, found in ratios.items()}
    rows = [
        {"chunks": size, "seconds_a_chunk": quartiles(seconds[size]), "over_one_alone": spreads[size], **memory[size]}
        for size in sizes
    ]
    medians = [spread["median"] for spread in spreads.values()]
    middle = quartiles(medians)["median"]
    deviation = max(abs(m / middle - 1) for m in medians)
    return {
        "benchmark": "scale", **subject(engine, settings), "sizes": rows, "largest_deviation": deviation,
        "tolerance": TOLERANCE, "is_constant": deviation <= TOLERANCE,
        "memory_tolerance_bytes": MEMORY_TOLERANCE_BYTES,
        "is_memory_flat": all(used["beside_bytes"] <= MEMORY_TOLERANCE_BYTES for used in memory.values()),
    }  # fmt: skip


def _a_chunk(
    engine: Engine, voice: Voice, settings: SynthesisSettings, size: int, begin_long: BeginLongRun | None
) -> tuple[float, float, dict[str, int]]:
    """Return seconds per chunk of a run of ``size`` chunks, those of runs of one meanwhile, and memory in bytes."""
    repeats, apart = math.ceil(_SMALL / size), math.ceil(size / _PROBES)
    request = engine.request(" ".join([SENTENCES[0]] * size), voice, settings).replace(reuse=False)
    single = engine.request(SENTENCES[0], voice, settings).replace(reuse=False)
    probes: list[float] = []

    def probe(result: ChunkResult) -> None:
        if result.chunk.index % apart == 0:
            began = time.perf_counter()
            engine.fulfil(single, voice)
            probes.append(time.perf_counter() - began)

    before, spent, held = psutil.Process().memory_info().rss, 0.0, 0
    with peak_memory(engine.loaded.device) as peak:
        for _ in range(repeats):
            began = time.perf_counter()
            run = engine.fulfil(request, voice, begin_long=begin_long, on_chunk=probe)
            spent += time.perf_counter() - began
            on_disk = run.is_long and begin_long is not None
            held = 0 if on_disk else sum(c.wave.nbytes + c.mel.nbytes for c in run.chunks) + run.wave.nbytes
    grown = max(0, peak.n_bytes - before)
    return (spent - sum(probes)) / (repeats * size), sum(probes) / len(probes), {
        "peak_growth_bytes": grown, "run_bytes": held, "beside_bytes": max(0, grown - held),
    }  # fmt: skip
