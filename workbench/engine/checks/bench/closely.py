"""Look at our side closely: a step at one length, how near its mel is to fp32, and chunks of lengths never met."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import torch

from workbench.engine.checks.bench import ceiling
from workbench.engine.checks.bench.bare import bare_mel
from workbench.engine.checks.bench.sampling import CHUNK_BYTES, SENTENCES, OnRound, quartiles, synchronizer
from workbench.engine.model.backends.base import Backend
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.loading import Loaded
from workbench.engine.model.sampling import Flow, solve, text_embedded
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import Run
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice

FRAMES = 1000
RUNS = 50
_WORDS = " ".join(SENTENCES).split()


def step_at(loaded: Loaded, flops_per_second: float, n_frames: int = FRAMES, n_steps: int = 8) -> dict[str, Any]:
    """Time guided ODE steps of ``n_frames`` after a first run: milliseconds, and their share of the ceiling."""
    cond = torch.zeros(n_frames // 3, loaded.spec.mel.n_mel_channels, device=loaded.device)
    tokens = loaded.tokens("warm up " * (n_frames // 40))
    with torch.inference_mode():
        for _ in range(2):
            flow = Flow(loaded.cfm, cond, tokens, n_frames, SynthesisSettings().cfg_strength, loaded.backend)
            with text_embedded(flow):
                steps = solve(flow, SynthesisSettings(nfe_step=n_steps), 0, len(cond)).step_seconds
    flops, spread = ceiling.step_flops(loaded, n_frames), quartiles([seconds * 1e3 for seconds in steps])
    return {
        "frames": n_frames, "flops": flops, "milliseconds": spread,
        "ceiling_share": flops / (spread["median"] / 1e3) / flops_per_second,
    }  # fmt: skip


def mel_differences(
    loaded: Loaded, exact: Any, voice: Voice, settings: SynthesisSettings, chunk: Chunk
) -> dict[str, float]:
    """Return the mean |mel difference| to fp32 of our backend, and of eager in the same format, and fp32's deviation.

    Args:
        loaded: ours.
        exact: the same acoustic model in fp32, on the same device.
        voice, settings, chunk: what is spoken.
    """
    sides: dict[str, tuple[Any, Backend]] = {
        "fp32": (exact, Eager()), "eager": (loaded.cfm, Eager()), "ours": (loaded.cfm, loaded.backend),
    }  # fmt: skip
    cond = torch.from_numpy(voice.mel.copy()).to(loaded.device)
    mels = {name: bare_mel(loaded, *side, cond, voice, settings, chunk) for name, side in sides.items()}
    found = {name: float((mels[name] - mels["fp32"]).abs().mean()) for name in ("ours", "eager")}
    return found | {"fp32_deviation": float(mels["fp32"].std())}


def new_lengths(
    engine: Engine, voice: Voice, settings: SynthesisSettings, n_runs: int = RUNS, on_round: OnRound | None = None
) -> dict[str, Any]:
    """Speak ``n_runs`` texts of random length, each twice: what a length costs that was not met before, and what stays.

    Returns:
        Milliseconds of the first and of the second run of a text with quartiles; the slowest first run beyond its
        second; how often something was recorded, also in the second half, and compiled meanwhile; memory in use at
        start, half-time and end, on the GPU by PyTorch if there is one, and its growth in the second half, where only
        what is recorded then adds to it.
    """
    draw, spent = random.Random(0), {"first": [], "again": []}  # type: ignore[var-annotated]
    memory, compiled, captures, lengths = [_memory(engine.loaded)], _n_compiled(), [0], set()
    timed = _timer(engine, voice, settings)
    for index in range(n_runs):
        text = _text(draw)
        for name in spent:
            run, seconds = timed(text)
            spent[name].append(seconds * 1e3)
            captures[-1] += sum(span.name == "capture" for span in run.spans)
        lengths |= {c.chunk.duration_frames for c in run.chunks}
        if index + 1 in (n_runs // 2, n_runs):
            memory.append(_memory(engine.loaded))
            captures.append(0)
            if on_round:
                on_round(f"random length {index + 1}/{n_runs}: {memory[-1] / 2**20:.0f} MiB in use")
    return {
        "runs": n_runs, "lengths": len(lengths), "frames": [min(lengths), max(lengths)],
        "milliseconds": {name: quartiles(values) for name, values in spent.items()},
        "slowest_new_length_milliseconds": max(a - b for a, b in zip(*spent.values(), strict=True)),
        "captures": sum(captures), "captures_second_half": captures[1], "compilations": _n_compiled() - compiled,
        "memory_bytes": {"start": memory[0], "half": memory[1], "end": memory[-1]},
        "memory_growth_bytes": memory[-1] - memory[1],
    }  # fmt: skip


def _text(draw: random.Random) -> str:
    """A text of 3 to 16 words that is one chunk."""
    start, count = draw.randrange(len(_WORDS) - 16), draw.randint(3, 16)
    words = [word.strip(".,") for word in _WORDS[start : start + count]]
    while len(" ".join(words)) > CHUNK_BYTES - 10:
        words.pop()
    return " ".join(words).capitalize() + "."


def _timer(engine: Engine, voice: Voice, settings: SynthesisSettings) -> Callable[[str], tuple[Run, float]]:
    wait = synchronizer(engine.loaded.device)

    def timed(text: str) -> tuple[Run, float]:
        wait()
        began = time.perf_counter()
        run = engine.run(text, voice, settings, save=False)
        wait()
        return run, time.perf_counter() - began

    return timed


def _memory(loaded: Loaded) -> int:
    """Bytes in use: on the GPU by PyTorch's allocator, or resident in this process."""
    if loaded.device.startswith("cuda"):
        return torch.cuda.memory_reserved(loaded.device)
    resident: int = psutil.Process().memory_info().rss
    return resident


def _n_compiled() -> int:
    """How many graphs PyTorch's compiler has compiled in this process."""
    if "torch._dynamo.utils" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])
