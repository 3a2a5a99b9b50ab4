"""Which number format this CPU multiplies fastest: measured, because the processor's flags do not tell."""

from __future__ import annotations

import time
from functools import lru_cache

import torch


@lru_cache(1)
def cpu_prefers_bf16() -> bool:
    """Whether a matrix product of the demo voice's size is clearly faster in bf16 than in fp32 (takes a few ms).

    Of two machines with avx512_bf16 and without AMX, one did 85 GFLOP/s in bf16 and 155 in fp32, the other 204 and 78.
    """
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(2048, 256, dtype=dtype), torch.ones(256, 512, dtype=dtype)
        a @ b
        trials = []
        for _ in range(5):
            started = time.perf_counter()
            a @ b
            trials.append(time.perf_counter() - started)
        times[dtype] = min(trials)
    return times[torch.bfloat16] < 0.8 * times[torch.float32]
