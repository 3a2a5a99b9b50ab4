"""How pleasant it sounds, as a network guesses that people would judge: DNSMOS P.835 (Reddy, 2022)."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np

from workbench.engine.measures.registry import SECONDS, SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal.audio import resample

_RATE = 16_000
_LOCK = threading.Lock()  # its package keeps its networks in a global
_MISLEADS = (
    "for synthetic speech: it was trained on noisy calls, hears neither wrong words nor a wrong voice, and rates clean "
    "monotony high. Differences below 0.1 mean nothing. Sounds below 9 s are repeated to that length."
)


@lru_cache(64)
def _judged(content: bytes, rate: int) -> tuple[float, float, float]:
    from speechmos import dnsmos

    low = resample(np.frombuffer(content, np.float32), rate, _RATE)
    with _LOCK:
        found = dnsmos.run(low / max(1.0, float(np.abs(low).max())), sr=_RATE)
    return float(found["ovrl_mos"]), float(found["sig_mos"]), float(found["bak_mos"])


def _mos(sound: Sound, index: int) -> float | None:
    if not len(sound.wave):
        return None
    return _judged(sound.wave.astype(np.float32).tobytes(), sound.config.target_sample_rate)[index]


@measure("dnsmos_overall", "MOS", "DNSMOS P.835, overall quality from 1 to 5.", of=(SOUND,), label="DNSMOS",
         better="higher", needs=("speechmos", "onnxruntime"), cost=SECONDS, misleads=_MISLEADS)  # fmt: skip
def overall(sound: Sound) -> float | None:
    """1 to 5; None without samples."""
    return _mos(sound, 0)


@measure("dnsmos_speech", "MOS", "DNSMOS P.835, the speech alone, from 1 to 5.", of=(SOUND,), label="DNSMOS speech",
         better="higher", needs=("speechmos", "onnxruntime"), cost=SECONDS, misleads=_MISLEADS)  # fmt: skip
def speech(sound: Sound) -> float | None:
    """1 to 5; None without samples."""
    return _mos(sound, 1)


@measure("dnsmos_background", "MOS", "DNSMOS P.835, the background, from 1 (intrusive) to 5.", of=(SOUND,),
         label="DNSMOS background", better="higher", needs=("speechmos", "onnxruntime"), cost=SECONDS,
         misleads=_MISLEADS)  # fmt: skip
def background(sound: Sound) -> float | None:
    """1 to 5; None without samples."""
    return _mos(sound, 2)
