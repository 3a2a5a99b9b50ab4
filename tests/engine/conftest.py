"""Fixtures of the engine's tests."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.engine.jobs.pool import EnginePool


@pytest.fixture
def pool(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> EnginePool:
    """A pool that holds the tiny engine and the voice; it loads no other engine."""
    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", lambda *args, **kwargs: tiny_engine)
    found = EnginePool()
    found.add(tiny_engine)
    found.remember(voice)
    return found
