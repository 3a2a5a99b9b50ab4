"""Measure the cost of observation: a run with spans, progress and monitor against the same computation without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from workbench.engine.checks.bench.bare import bare_mel
from workbench.engine.checks.bench.sampling import (
    OnRound,
    check_counts,
    in_turn,
    one_sentence_a_chunk,
    quartiles,
    subject,
    text_of,
)
from workbench.engine.model.backends.graphs import unnoted
from workbench.engine.monitor import Monitor
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice
from workbench.engine.timing import Progress

TOLERANCE = 0.02


def observe(engine: Engine, voice: Voice, *, nfe_step: int = 7, n_chunks: int = 1, rounds: int = 15,
            on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Time an observed run and a bare run in turn.

    Watched is what a page's job does: plan, spans, a report of every step, the monitor beside it. Bare is text, solver
    and vocoder of the planned chunks, and nothing else.

    Returns:
        The JSON document of ``bench observe``: seconds of both with quartiles, watched over bare - 1 with quartiles,
        and whether its median stays within 2 %; the same of processor time, which other programs disturb less.
    """
    check_counts(chunks=n_chunks, rounds=rounds)
    settings, text = one_sentence_a_chunk(nfe_step), text_of(n_chunks)
    chunks = engine.plan(text, voice, settings)
    cond = torch.from_numpy(voice.mel.copy()).to(engine.loaded.device)
    seen: list[Progress] = []

    def watched() -> None:
        with Monitor(engine.loaded.device):
            engine.run(text, voice, settings, on_step=seen.append)

    sides = {"bare": lambda: [_bare(engine, voice, cond, settings, chunk) for chunk in chunks], "watched": watched}
    for side in sides.values():
        side()
    timed = in_turn(sides, rounds, engine.loaded.device, on_round)
    spread = quartiles([ratio - 1 for ratio in timed.ratios("watched", "bare")])
    of_cpu = [a / b - 1 for a, b in zip(timed.cpu_seconds["watched"], timed.cpu_seconds["bare"], strict=True)]
    return {
        "benchmark": "observe", **subject(engine, settings), "chunks": len(chunks), "reports": len(seen),
        "seconds": {name: quartiles(spent) for name, spent in timed.seconds.items()}, "cost": spread,
        "cpu_cost": quartiles(of_cpu),
        "tolerance": TOLERANCE, "is_within": spread["median"] <= TOLERANCE,
    }  # fmt: skip


def _bare(engine: Engine, voice: Voice, cond: torch.Tensor, settings: SynthesisSettings, chunk: Chunk) -> np.ndarray:
    """Return the wave of ``chunk``, computed without clock, report and lock."""
    loaded = engine.loaded
    mel = bare_mel(loaded, loaded.cfm, loaded.backend, cond, voice, settings, chunk)
    with torch.inference_mode():
        wave: np.ndarray = loaded.backend.decode(loaded.vocoder, mel, unnoted).cpu().numpy()
    return wave
