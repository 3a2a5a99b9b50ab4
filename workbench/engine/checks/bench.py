"""Time our engine against upstream's code: same weights, text and settings, alternating in one process."""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workbench.engine import upstream
from workbench.engine.errors import SettingsError
from workbench.engine.model.devices import choose_device, upstream_dtype
from workbench.engine.model.loading import load_acoustic
from workbench.engine.settings import BenchLoadSettings, LoadSettings, SynthesisSettings
from workbench.engine.speech.synthesis import Engine, load_engine
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice, load_voice
from workbench.engine.timing import Timeline

# of similar length, so that every chunk holds one sentence; any English vocabulary covers them
SENTENCES = (
    "The morning train was late again, and nobody on the platform seemed surprised.",
    "She folded the letter twice, put it in a drawer, and never spoke of it again.",
    "A small boat drifted past the harbour wall while the gulls argued overhead.",
    "He counted the coins on the table and found that two of them were missing.",
    "When the rain stopped at last, the children ran barefoot across the garden.",
)
_CHUNK_BYTES = 100


class _Peak:
    """Highest resident memory of this process while the block runs, sampled every 10 ms, in bytes."""

    def __init__(self) -> None:
        self.n_bytes = 0


@contextmanager
def _peak_memory() -> Iterator[_Peak]:
    import psutil

    process, peak, done = psutil.Process(), _Peak(), threading.Event()

    def sample() -> None:
        while not done.wait(0.01):
            peak.n_bytes = max(peak.n_bytes, process.memory_info().rss)

    peak.n_bytes = process.memory_info().rss
    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        done.set()
        sampler.join()


def against_upstream(model: str = "demo-voice", *, random_weights: bool = False,
                     load: BenchLoadSettings = BenchLoadSettings(), n_chunks: int = 5, nfe_step: int = 7,
                     rounds: int = 3,
                     on_round: Callable[[int, float, float], None] | None = None) -> dict[str, Any]:  # fmt: skip
    """Time upstream's ``infer_batch_process`` and our engine alternately, after a warm-up of each.

    Args:
        model: name in the catalogue.
        random_weights: use random weights; the time is the same.
        load: how our engine is loaded; upstream runs on the same device.
        n_chunks: number of chunks, one sentence of about 80 bytes each.
        nfe_step: ODE steps of both.
        rounds: pairs of timings.
        on_round: called with (round, upstream's seconds, our seconds).

    Returns:
        The JSON document of ``bench engine``: seconds of both, the ratio upstream / ours of each round with median and
        range, peak memory of both in bytes.
    """
    if n_chunks < 1 or rounds < 1:
        raise SettingsError("chunks and rounds must be at least 1.", remedy="Give a positive number.")
    dtype = upstream_dtype(choose_device(load.device)) if load.dtype == "upstream" else load.dtype
    ours_load = LoadSettings(**(load.as_dict() | {"dtype": dtype}))
    engine = load_engine(model, load=ours_load, random_weights=random_weights)
    voice = load_voice(mel_config=engine.loaded.spec.mel)
    settings = SynthesisSettings(nfe_step=nfe_step, max_chunk_bytes=_CHUNK_BYTES)
    text = " ".join(SENTENCES[k % len(SENTENCES)] for k in range(n_chunks))
    chunks = engine.plan(text, voice, settings)
    theirs = _upstream(engine, voice, [c.text for c in chunks], settings)

    def ours() -> int:
        return len(engine.run(text, voice, settings).wave)

    sides = {"upstream": theirs, "ours": ours}
    samples = {name: side() for name, side in sides.items()}  # the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    peaks: dict[str, int] = dict.fromkeys(sides, 0)
    for index in range(rounds):
        for name, side in sides.items():
            gc.collect()
            with _peak_memory() as peak:
                began = time.perf_counter()
                side()
                seconds[name].append(time.perf_counter() - began)
            peaks[name] = max(peaks[name], peak.n_bytes)
        if on_round:
            on_round(index, seconds["upstream"][-1], seconds["ours"][-1])
    return _document(engine, chunks, settings, random_weights, seconds, peaks, samples)


def _upstream(engine: Engine, voice: Voice, texts: list[str], settings: SynthesisSettings) -> Callable[[], int]:
    """Upstream's batch function with the weights of ``engine``, in the number format that upstream chooses."""
    upstream.install()
    import torch
    from f5_tts.infer.utils_infer import infer_batch_process

    loaded = engine.loaded
    theirs = upstream_dtype(loaded.device)
    cfm = loaded.cfm if loaded.dtype == theirs else _twin(engine, theirs)
    reference = torch.from_numpy(voice.audio)[None]

    def call() -> int:
        wave, _, _ = next(infer_batch_process(
            (reference, loaded.spec.mel.target_sample_rate), voice.ref_text, texts, cfm, loaded.vocoder, progress=None,
            target_rms=settings.target_rms, cross_fade_duration=settings.cross_fade_duration,
            nfe_step=settings.nfe_step, cfg_strength=settings.cfg_strength,
            sway_sampling_coef=settings.sway_sampling_coef, speed=settings.speed, device=loaded.device,
        ))  # fmt: skip
        return len(wave)

    return call


def _twin(engine: Engine, dtype: str) -> Any:
    """A second copy of the acoustic model of ``engine`` in another number format, cast as in upstream."""
    import torch

    loaded = engine.loaded
    if loaded.files is None:
        from workbench.engine.model import random_weights

        cfm, _ = random_weights.build(loaded.spec, 0)
    else:
        cfm, _ = load_acoustic(loaded.spec, loaded.files, Timeline(), loaded.chosen.weights)
    return cfm.to({"fp32": torch.float32, "fp16": torch.float16}[dtype]).to(loaded.device).eval()


def _document(
    engine: Engine,
    chunks: list[Chunk],
    settings: SynthesisSettings,
    random_weights: bool,
    seconds: dict[str, list[float]],
    peaks: dict[str, int],
    samples: dict[str, int],
) -> dict[str, Any]:
    import torch

    ratios = [u / o for u, o in zip(seconds["upstream"], seconds["ours"], strict=True)]
    rate = engine.loaded.spec.mel.target_sample_rate
    return {
        "benchmark": "engine", "against": "upstream", "model": engine.loaded.spec.name,
        "random_weights": random_weights, "device": engine.loaded.device, "dtype": engine.loaded.dtype,
        "upstream_dtype": upstream_dtype(engine.loaded.device), "threads": torch.get_num_threads(),
        "cores": os.cpu_count(), "chunks": len(chunks), "text_bytes": sum(c.n_bytes for c in chunks),
        "nfe_step": settings.nfe_step, "audio_seconds": {name: n / rate for name, n in samples.items()},
        "upstream_seconds": seconds["upstream"], "ours_seconds": seconds["ours"],
        "ratio": statistics.median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios), "ratios": ratios,
        "peak_memory_bytes": peaks,
    }  # fmt: skip
