"""A run for the stops: three chunks of the tiny model, with the states of its ODE."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.classroom.stops import CHUNK_BYTES, TEXT
from workbench.engine.settings import SynthesisSettings

SETTINGS = SynthesisSettings(nfe_step=5, max_chunk_bytes=CHUNK_BYTES, keep_trajectory=True, seed=3)


@pytest.fixture(scope="session")
def class_run(tiny_engine: Any, voice: Any) -> Any:
    return tiny_engine.run(TEXT, voice, SETTINGS, save=False)
