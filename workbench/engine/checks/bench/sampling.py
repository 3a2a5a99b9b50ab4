"""Shared parts of the benchmarks: texts, timing of sides in turn, medians with quartiles, peak memory."""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from workbench.engine.errors import SettingsError
from workbench.engine.model.devices import environment, waiting_for
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine

# of similar length, so that every chunk holds one sentence; any English vocabulary covers them
SENTENCES = (
    "The morning train was late again, and nobody on the platform seemed surprised.",
    "She folded the letter twice, put it in a drawer, and never spoke of it again.",
    "A small boat drifted past the harbour wall while the gulls argued overhead.",
    "He counted the coins on the table and found that two of them were missing.",
    "When the rain stopped at last, the children ran barefoot across the garden.",
)
CHUNK_BYTES = 100
OnRound = Callable[[str], None]


def one_sentence_a_chunk(nfe_step: int, sentences: int = 1) -> SynthesisSettings:
    """Return settings with which each of ``SENTENCES``, or as many as ``sentences`` together, becomes one chunk."""
    return SynthesisSettings(nfe_step=nfe_step, max_chunk_bytes=CHUNK_BYTES * sentences)


def text_of(n_sentences: int) -> str:
    """Return a text of ``n_sentences`` sentences."""
    return " ".join(SENTENCES[k % len(SENTENCES)] for k in range(n_sentences))


def check_counts(**counts: int) -> None:
    """Raise SettingsError for a number below 1."""
    for name, value in counts.items():
        if value < 1:
            raise SettingsError(f"{name} is {value}.", remedy="Give a positive number.")


def quartiles(samples: Sequence[float]) -> dict[str, Any]:
    """Return median, quartiles, their distance and extremes of ``samples``, which must not be empty."""
    several = samples if len(samples) > 1 else [*samples, *samples]
    low, middle, high = statistics.quantiles(several, n=4, method="inclusive")
    return {
        "median": middle, "q1": low, "q3": high, "iqr": high - low, "low": min(samples), "high": max(samples),
        "n": len(samples),
    }  # fmt: skip


@dataclass
class Peak:
    """Peak memory of a block: resident memory of this process, and GPU memory in use by PyTorch (or None)."""

    n_bytes: int = 0
    gpu_bytes: int | None = None


@contextmanager
def peak_memory(device: str = "cpu", interval_seconds: float = 0.01) -> Iterator[Peak]:
    """Sample the memory of this process every 10 ms while the block runs."""
    import torch

    process, peak, done = psutil.Process(), Peak(), threading.Event()

    def sample() -> None:
        while not done.wait(interval_seconds):
            peak.n_bytes = max(peak.n_bytes, process.memory_info().rss)

    peak.n_bytes = process.memory_info().rss
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        done.set()
        sampler.join()
        peak.n_bytes = max(peak.n_bytes, process.memory_info().rss)
        if on_gpu:
            peak.gpu_bytes = torch.cuda.max_memory_allocated(device)


@dataclass
class Sides:
    """Seconds, processor seconds of all threads, and memory of each side, a sample a round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, Peak] = field(default_factory=dict)

    def ratios(self, over: str, under: str) -> list[float]:
        """Return the seconds of one side over those of another, per round."""
        return [a / b for a, b in zip(self.seconds[over], self.seconds[under], strict=True)]


def in_turn(
    sides: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", on_round: OnRound | None = None
) -> Sides:
    """Time ``sides`` alternately and reverse the order in each round, so that drift affects all sides equally."""
    found = Sides({n: [] for n in sides}, {n: [] for n in sides}, {n: Peak() for n in sides})
    wait = synchronizer(device)
    for index in range(rounds):
        for name in list(sides) if index % 2 == 0 else list(sides)[::-1]:
            gc.collect()
            with peak_memory(device) as peak:
                wait()
                began, cpu_began = time.perf_counter(), time.process_time()
                sides[name]()
                wait()
                found.seconds[name].append(time.perf_counter() - began)
                found.cpu_seconds[name].append(time.process_time() - cpu_began)
            known = found.peaks[name]
            known.n_bytes = max(known.n_bytes, peak.n_bytes)
            if peak.gpu_bytes is not None:
                known.gpu_bytes = max(known.gpu_bytes or 0, peak.gpu_bytes)
        if on_round:
            told = ", ".join(f"{name} {seconds[-1]:.3f} s" for name, seconds in found.seconds.items())
            on_round(f"round {index + 1}/{rounds}: {told}")
    return found


def synchronizer(device: str) -> Callable[[], None]:
    """Wait for all queued work of ``device``."""
    return waiting_for(device) or (lambda: None)


def subject(engine: Engine, settings: SynthesisSettings) -> dict[str, Any]:
    """Return the start of every document: the subject of the measurement and the machine."""
    loaded = engine.loaded
    return {
        "model": loaded.spec.name, "random_weights": loaded.files is None, "device": loaded.device,
        "dtype": loaded.dtype, "cores": os.cpu_count(), "environment": environment(), "nfe_step": settings.nfe_step,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }  # fmt: skip
