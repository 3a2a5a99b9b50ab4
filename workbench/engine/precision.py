"""Which number format this CPU multiplies fastest: measured, because the processor's flags do not tell."""

from __future__ import annotations

import time
from functools import lru_cache

import torch

_FASTER = 0.6  # share of fp32's time below which bf16 is worth it; well clear of 1, so that every start decides alike
_ROUNDS = 7


@lru_cache(1)
def cpu_prefers_bf16() -> bool:
    """Whether a matrix product of the demo voice's size is much faster in bf16 than in fp32 (takes some 20 ms).

    Of three machines with avx512_bf16 and without AMX, one did 85 GFLOP/s in bf16 and 155 in fp32 on a core, one 204
    and 78, one 430 and 190 on two cores.
    """
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    pairs = {d: (torch.ones(2048, 256, dtype=d), torch.ones(256, 512, dtype=d)) for d in best}
    for _ in range(_ROUNDS):  # in turn, so that other work on the machine slows both
        for dtype, (a, b) in pairs.items():
            started = time.perf_counter()
            a @ b
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.bfloat16] < _FASTER * best[torch.float32]
