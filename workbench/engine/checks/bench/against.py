"""Time our engine against upstream's code: same weights, text and settings, alternating in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workbench.engine import upstream
from workbench.engine.checks.bench import ceiling
from workbench.engine.checks.bench.sampling import (
    OnRound,
    Sides,
    check_counts,
    in_turn,
    one_sentence_a_chunk,
    quartiles,
    subject,
    text_of,
)
from workbench.engine.model.devices import choose_device, upstream_dtype
from workbench.engine.model.loading import load_acoustic
from workbench.engine.settings import BenchLoadSettings, LoadSettings, SynthesisSettings
from workbench.engine.speech.synthesis import Engine, load_engine
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice, load_voice
from workbench.engine.timing import Timeline


def against_upstream(model: str = "demo-voice", *, random_weights: bool = False,
                     load: BenchLoadSettings = BenchLoadSettings(), n_chunks: int = 5, nfe_step: int = 7,
                     rounds: int = 3, on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Time upstream's ``infer_batch_process`` and our engine alternately, after a first run of each.

    Args:
        model: name in the catalogue.
        random_weights: use random weights; the time is the same.
        load: how our engine is loaded; upstream runs on the same device.
        n_chunks: number of chunks, one sentence of about 80 bytes each.
        nfe_step: ODE steps of both.
        rounds: pairs of timings.
        on_round: called with a line about each round.

    Returns:
        The JSON document of ``bench engine``: seconds of both, the ratio upstream / ours of each round with median and
        quartiles; apart from these the first run, and a run of new lengths; our milliseconds a step and their share of
        what the device multiplies; peak memory of both in bytes, the GPU's too, and the share of the time in which the
        GPU was idle.
    """
    check_counts(chunks=n_chunks, rounds=rounds)
    dtype = upstream_dtype(choose_device(load.device)) if load.dtype == "upstream" else load.dtype
    ours_load = LoadSettings(**(load.as_dict() | {"dtype": dtype}))
    engine = load_engine(model, load=ours_load, random_weights=random_weights)
    voice = load_voice(mel_config=engine.loaded.spec.mel)
    settings, text = one_sentence_a_chunk(nfe_step), text_of(n_chunks)
    chunks = engine.plan(text, voice, settings)
    theirs = _upstream(engine, voice, settings)
    runs = []

    def ours(words: str = text) -> int:
        runs.append(engine.run(words, voice, settings))
        return len(runs[-1].wave)

    sides: dict[str, Callable[[], int]] = {"upstream": lambda: theirs([c.text for c in chunks]), "ours": ours}
    first = {name: _timed(side) for name, side in sides.items()}
    longer = [f"{c.text} And so on." for c in chunks]
    unseen = {"upstream": _timed(lambda: theirs(longer)), "ours": _timed(lambda: ours(" ".join(longer)))}
    runs.clear()
    rate_before = ceiling.gemm_flops(engine.loaded.device, engine.loaded.dtype)
    timed = in_turn(sides, rounds, engine.loaded.device, on_round)
    steps = [seconds for run in runs for c in run.chunks for seconds in c.timing.step_seconds]
    rate = engine.loaded.spec.mel.target_sample_rate
    return {
        "benchmark": "engine", "against": "upstream", **subject(engine, settings),
        "upstream_dtype": upstream_dtype(engine.loaded.device), "chunks": len(chunks),
        "text_bytes": sum(c.n_bytes for c in chunks),
        "audio_seconds": {name: n_samples / rate for name, (n_samples, _) in first.items()},
        "first_run_seconds": {name: seconds for name, (_, seconds) in first.items()},
        "new_length_seconds": {name: seconds for name, (_, seconds) in unseen.items()},
        **_ratio(timed), **_steps(engine, chunks, steps, rate_before),
        "peak_memory_bytes": {name: peak.n_bytes for name, peak in timed.peaks.items()},
        "gpu_peak_memory_bytes": {name: peak.gpu_bytes for name, peak in timed.peaks.items()},
        "gpu_idle_share": ceiling.gpu_idle_share(ours, engine.loaded.device),
    }  # fmt: skip


def _timed(side: Callable[[], int]) -> tuple[int, float]:
    began = time.perf_counter()
    return side(), time.perf_counter() - began


def _ratio(timed: Sides) -> dict[str, Any]:
    ratios = timed.ratios("upstream", "ours")
    spread = quartiles(ratios)
    return {
        "upstream_seconds": timed.seconds["upstream"], "ours_seconds": timed.seconds["ours"], "ratios": ratios,
        "ratio": spread["median"], "ratio_low": spread["low"], "ratio_high": spread["high"], "ratio_iqr": spread["iqr"],
        "warm_seconds": {name: quartiles(seconds) for name, seconds in timed.seconds.items()},
    }  # fmt: skip


def _steps(engine: Engine, chunks: list[Chunk], steps: list[float], rate_before: float) -> dict[str, Any]:
    """Return our warm ODE steps compared with the device's rate for matrix products in the same run."""
    loaded = engine.loaded
    frames = round(sum(c.duration_frames for c in chunks) / len(chunks))
    rate = max(rate_before, ceiling.gemm_flops(loaded.device, loaded.dtype))  # another program may slow one of them
    flops, spread = ceiling.step_flops(loaded, frames), quartiles(steps)
    return {
        "step_frames": frames, "step_flops": flops, "gemm_flops_per_second": rate,
        "step_milliseconds": {k: v * 1e3 if k != "n" else v for k, v in spread.items()},
        "ceiling_share": flops / spread["median"] / rate,
    }  # fmt: skip


def _upstream(engine: Engine, voice: Voice, settings: SynthesisSettings) -> Callable[[list[str]], int]:
    """Upstream's batch function with the weights of ``engine``, in the number format that upstream chooses.

    If that is not fp32, it gets its own copy with all modules cast: ours keeps some modules in fp32, and upstream uses
    the format of the first parameter.
    """
    upstream.install()
    import torch
    from f5_tts.infer.utils_infer import infer_batch_process

    loaded = engine.loaded
    theirs = upstream_dtype(loaded.device)
    cfm = loaded.cfm if loaded.dtype == theirs == "fp32" else _twin(engine, theirs)
    reference = torch.from_numpy(voice.audio)[None]

    def call(texts: list[str]) -> int:
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
    return (
        cfm.to({"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[dtype]).to(loaded.device).eval()
    )
