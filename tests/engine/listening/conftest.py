"""Saved runs to listen to, and a test of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench.engine.listening import grouping, records
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings

Maker = Callable[..., Any]


@pytest.fixture
def make_run(tiny_engine: Any, voice: Any) -> Maker:
    """Speak and save a run; ``gain`` scales its sound."""

    def make(text: str = "One two three.", gain: float = 1.0, **changes: Any) -> Any:
        run = tiny_engine.run(text, voice, SynthesisSettings(nfe_step=2).replace(**changes))
        chunks = [dataclasses.replace(c, wave=(c.wave * gain).astype(np.float32)) for c in run.chunks]
        run = dataclasses.replace(run, chunks=chunks)
        store.save_run(run)
        return run

    return make


@pytest.fixture
def make_test(make_run: Maker) -> Maker:
    """Make a listening test of two numbers of steps over two texts."""

    def make(kind: str = "abx", name: str = "steps", **options: Any) -> records.ListeningTest:
        for text in ("One two three.", "Four five six."):
            for steps in (2, 3):
                make_run(text, nfe_step=steps, gain=steps / 4)
        return records.make_test(name, kind, grouping.group(store.list_runs(), "nfe_step"), seed=5, **options)

    return make
