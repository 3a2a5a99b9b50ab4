"""Time our engine against upstream's code: same weights, text and settings, alternating in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workbench.engine import upstream
from workbench.engine.checks.bench import ceiling
from workbench.engine.checks.bench.closely import mel_differences, new_lengths, step_at
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
from workbench.engine.timing import Timeline, total


def against_upstream(model: str = "demo-voice", *, random_weights: bool = False,
                     load: BenchLoadSettings = BenchLoadSettings(), n_chunks: int = 5, sentences: int = 1,
                     nfe_step: int = 7, rounds: int = 3, closely: bool | None = None,
                     on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Time upstream's ``infer_batch_process`` and our engine alternately, after a first run of each.

    Args:
        model: name in the catalogue.
        random_weights: use random weights; the time is the same.
        load: how our engine is loaded; upstream runs on the same device.
        n_chunks: number of chunks.
        sentences: of about 80 bytes each, a chunk.
        nfe_step: ODE steps of both.
        rounds: pairs of timings.
        closely: whether to look at a step of 1000 frames, at the mel's nearness to fp32, and at 50 texts of random
            length as well; None: on a GPU only, because it takes minutes on a CPU.
        on_round: called with a line about each round.

    Returns:
        The JSON document of ``bench engine``: seconds of both, the ratio upstream / ours of each round with median and
        quartiles; apart from these the first run, and a run of new lengths; our milliseconds a step and their share of
        what the device multiplies; peak memory of both in bytes, the GPU's too; of both the seconds in which the GPU
        worked, and the share of the time in which it did not. "not_measured" says why a value is None.
    """
    check_counts(chunks=n_chunks, rounds=rounds, sentences=sentences)
    dtype = upstream_dtype(choose_device(load.device)) if load.dtype == "upstream" else load.dtype
    ours_load = LoadSettings(**(load.as_dict() | {"dtype": dtype}))
    engine = load_engine(model, load=ours_load, random_weights=random_weights)
    voice = load_voice(mel_config=engine.loaded.spec.mel)
    settings, text = one_sentence_a_chunk(nfe_step, sentences), text_of(n_chunks * sentences)
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
    first_ours, *_ = runs
    runs.clear()
    device = engine.loaded.device
    rate_before = ceiling.gemm_flops(device, engine.loaded.dtype)
    timed = in_turn(sides, rounds, device, on_round)
    steps = [seconds for run in runs for c in run.chunks for seconds in c.timing.step_seconds]
    rate = max(rate_before, ceiling.gemm_flops(device, engine.loaded.dtype))  # another program may slow one of them
    mel_rate = engine.loaded.spec.mel.target_sample_rate
    audio = {name: n_samples / mel_rate for name, (n_samples, _) in first.items()}
    on_gpu, uses = device.startswith("cuda"), {name: ceiling.gpu_use(side, device) for name, side in sides.items()}
    closely = on_gpu if closely is None else closely
    return {
        "benchmark": "engine", "against": "upstream", **subject(engine, settings),
        "backend": engine.loaded.backend.recorded,
        "upstream_dtype": upstream_dtype(device), "chunks": len(chunks),
        "text_bytes": sum(c.n_bytes for c in chunks),
        "audio_seconds": audio,
        "first_run_seconds": {name: seconds for name, (_, seconds) in first.items()},
        "first_run_preparations_seconds": {name: total(first_ours.spans, name) for name in ("compile", "capture")},
        "new_length_seconds": {name: seconds for name, (_, seconds) in unseen.items()},
        **_ratio(timed),
        "rtf": {name: quartiles(seconds)["median"] / audio[name] for name, seconds in timed.seconds.items()},
        **_steps(engine, chunks, steps, rate),
        "peak_memory_bytes": {name: peak.n_bytes for name, peak in timed.peaks.items()},
        "gpu_peak_memory_bytes": {name: peak.gpu_bytes for name, peak in timed.peaks.items()},
        **_of_gpu(uses),
        **_closely(engine, voice, settings, chunks[0], rate, on_round, closely),
        "not_measured": _reasons(on_gpu, closely),
    }  # fmt: skip


_GPU_ONLY = ("gpu_peak_memory_bytes", "gpu_kernel_seconds", "gpu_kernel_ratio", "gpu_idle_share")
_CLOSELY = ("step_at_1000_frames", "mel_difference", "random_lengths")


def _reasons(on_gpu: bool, closely: bool) -> dict[str, str]:
    """Why a value of the document is None, by its name."""
    reasons = {} if on_gpu else dict.fromkeys(_GPU_ONLY, "there is no CUDA device")
    return reasons if closely else reasons | dict.fromkeys(_CLOSELY, "asked for by --closely; on a GPU by default")


def _of_gpu(uses: dict[str, dict[str, float] | None]) -> dict[str, Any]:
    """Seconds of the GPU's work and idle share of each side, and the ratio of the work upstream / ours."""
    known = {name: use for name, use in uses.items() if use is not None}
    work = {name: use["kernel_seconds"] for name, use in known.items()}
    return {
        "gpu_kernel_seconds": work or None,
        "gpu_kernel_ratio": work["upstream"] / work["ours"] if work.get("ours") else None,
        "gpu_idle_share": {name: use["idle_share"] for name, use in known.items()} or None,
    }


def _closely(
    engine: Engine, voice: Voice, settings: SynthesisSettings, chunk: Chunk, rate: float, on_round: OnRound | None,
    wanted: bool,
) -> dict[str, Any]:  # fmt: skip
    """What a look at our side alone tells; None for all of it if not ``wanted``."""
    if not wanted:
        return dict.fromkeys(_CLOSELY)
    loaded = engine.loaded
    found = {"step_at_1000_frames": step_at(loaded, rate)}
    exact = loaded.cfm if loaded.dtype == "fp32" else _twin(engine, "fp32")
    found["mel_difference"] = mel_differences(loaded, exact, voice, settings, chunk)
    del exact
    found["random_lengths"] = new_lengths(engine, voice, settings, on_round=on_round)
    return found


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


def _steps(engine: Engine, chunks: list[Chunk], steps: list[float], rate: float) -> dict[str, Any]:
    """Return our warm ODE steps compared with the device's rate for matrix products in the same run."""
    frames = round(sum(c.duration_frames for c in chunks) / len(chunks))
    flops, spread = ceiling.step_flops(engine.loaded, frames), quartiles(steps)
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
