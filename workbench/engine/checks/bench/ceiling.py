"""Compare the model's operations per second with the device's rate for large matrix products in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from workbench.engine.checks.bench.sampling import synchronizer
from workbench.engine.model.backends.lean.products import kinds
from workbench.engine.model.loading import Loaded

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_SIDE = {"cpu": 1536, "cuda": 8192}  # of the square matrices: large enough for the full rate, small enough to repeat
_ROUNDS = 10


def gemm_flops(device: str, dtype: str, side: int | None = None) -> float:
    """Return the floating-point operations per second of the best of ten square products in ``dtype`` on ``device``.

    Every kind of product that a backend may choose is tried, so that no backend is faster than its ceiling.
    """
    side = side or _SIDE.get(device.split(":")[0], 2048)
    x, weight = (torch.randn(side, side, device=device).to(_DTYPES[dtype]) for _ in range(2))
    wait, best = synchronizer(device), float("inf")
    with torch.inference_mode():
        for kind in kinds(weight):
            multiply = kind(weight, None)
            for _ in range(_ROUNDS):
                wait()
                began = time.perf_counter()
                multiply(x)
                wait()
                best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best


def step_flops(loaded: Loaded, n_frames: int, evaluations_a_step: int = 1, *, guided: bool = True) -> float:
    """Return the operations of the matrix products of one ODE step of ``n_frames``, including the reference.

    Counted from the shapes that the layers meet in one evaluation by upstream's own code, whichever backend speaks:
    linear layers and convolutions by their weights, attention by the square of the frames.
    """
    from workbench.engine.model.sampling import Flow, text_embedded

    counted, n_mels = [0.0], loaded.spec.mel.n_mel_channels
    with torch.inference_mode():
        flow = Flow(loaded.cfm, torch.zeros(16, n_mels, device=loaded.device), loaded.tokens("one"), n_frames, 0.0)
        x = torch.zeros(1, flow.n_frames, n_mels, device=loaded.device)
        with text_embedded(flow), _hooked(loaded.cfm.transformer, _counter(counted)):
            flow(torch.tensor(0.5, device=loaded.device), x)
    return counted[0] * (2 if guided else 1) * evaluations_a_step


@contextmanager
def _hooked(module: torch.nn.Module, hook: Callable[[Any, Any, Any], None]) -> Iterator[None]:
    """Call ``hook`` after every layer of ``module`` while the block runs."""
    handles = [part.register_forward_hook(hook) for part in module.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _counter(counted: list[float]) -> Callable[[Any, Any, Any], None]:
    def add(module: Any, given: Any, result: Any) -> None:
        if isinstance(module, torch.nn.Linear):
            counted[0] += 2.0 * result.numel() * module.in_features
        elif isinstance(module, torch.nn.Conv1d):
            counted[0] += 2.0 * result.numel() * module.in_channels // module.groups * module.kernel_size[0]
        elif hasattr(module, "to_q") and hasattr(module, "heads"):  # attention: scores, and their values
            frames = result.shape[-2]
            counted[0] += 4.0 * frames * frames * module.to_q.out_features

    return add


# The GPU -------------------------------------------------------------------------------------------------------------


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds covered by at least one of ``spans`` (start, end)."""
    busy, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy


def gpu_use(run: Callable[[], object], device: str) -> dict[str, float] | None:
    """Return the seconds in which the GPU worked for ``run``, and the part of its time in which it did not.

    "kernel_seconds" is what no faster host can take away; "idle_share" is 0 to 1. None without a GPU. Watching slows
    the host down, so the idle share is at most this.
    """
    if not device.startswith("cuda"):
        return None
    from torch.profiler import ProfilerActivity, profile

    wait = synchronizer(device)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        wait()
        began = time.perf_counter()
        run()
        wait()
        seconds = time.perf_counter() - began
    kernels = [
        e.time_range for e in profiler.events() or ()
        if e.device_type.name == "CUDA" and not getattr(e, "is_user_annotation", False)
    ]  # fmt: skip
    busy = busy_seconds((k.start / 1e6, k.end / 1e6) for k in kernels)
    return {"kernel_seconds": busy, "idle_share": 1 - min(1.0, busy / seconds)}
