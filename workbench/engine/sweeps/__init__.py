"""Grids of settings, spoken by any number of workers, kept as they come, and gone on with after a stop."""

from __future__ import annotations

from workbench.engine.sweeps.grid import Grid, Trial, read_grid
from workbench.engine.sweeps.running import Sweep, find_sweep, open_sweep, sweep

__all__ = ["Grid", "Sweep", "Trial", "find_sweep", "open_sweep", "read_grid", "sweep"]
