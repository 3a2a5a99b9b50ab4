"""Small sweeps on a tiny model, which any process finds in the home of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.engine.sweeps import Grid
from workbench.engine.sweeps.executors.local import Local

FIXED = {"text": "Just a few words.", "model": "tiny", "nfe_step": 1, "device": "cpu", "dtype": "fp32"}


def small(axes: dict[str, Any] | None = None, **more: Any) -> Grid:
    """A grid whose trials take some milliseconds each."""
    return Grid.from_dict({"name": "small", "fixed": FIXED, "grid": axes or {"seed": [0, 1, 2, 3]}} | more)


@pytest.fixture
def here(tiny_home: Path) -> Local:
    """One worker in this process."""
    return Local()
