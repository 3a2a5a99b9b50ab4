"""Sweeps: speak every point of a grid of settings with any number of workers, save each result, resume after a stop."""

from __future__ import annotations

from workbench.engine.sweeps.grid import Grid, Trial, read_grid
from workbench.engine.sweeps.running import Sweep, find_sweep, open_sweep, sweep

__all__ = ["Grid", "Sweep", "Trial", "find_sweep", "open_sweep", "read_grid", "sweep"]
