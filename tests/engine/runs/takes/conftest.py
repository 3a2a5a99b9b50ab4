"""A saved run of four chunks, and chunks made again for it without the time of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import ChunkResult, Run

TEXT = "One boat is here. Two boats are there. [pause 0.3s] Three more came. Four went away."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@pytest.fixture(scope="module")
def made(tiny_engine: Any, voice: Any) -> Run:
    """The run in memory."""
    run: Run = tiny_engine.fulfil(tiny_engine.request(TEXT, voice, QUICK), voice)
    assert len(run.chunks) == 4
    return run


@pytest.fixture
def saved(made: Run) -> str:
    """Its id, in the home of the test."""
    return store.save_run(made).name


@pytest.fixture
def other(made: Run) -> Callable[..., ChunkResult]:
    """Makes a take of a chunk: noise of another length, told apart by its seed."""

    def make(chunk: int, seed: int) -> ChunkResult:
        old = made.chunks[chunk]
        random = np.random.default_rng(seed)
        wave = (0.1 * random.standard_normal(3_000 + 256 * (seed % 40))).astype(np.float32)
        mel = random.standard_normal((len(wave) // 256 + 1, 100)).astype(np.float32)
        plan = dataclasses.replace(old.chunk, seed=seed)
        return dataclasses.replace(old, chunk=plan, seed=seed, wave=wave, mel=mel)

    return make
