"""Our solvers give torchdiffeq's samples, to the last bit."""

from __future__ import annotations

import pytest
import torch
from torchdiffeq import odeint

from workbench.engine import upstream
from workbench.engine.model.backends import solvers
from workbench.engine.model.sampling import time_grid
from workbench.engine.settings import SynthesisSettings

upstream.install()  # the pruned grids are upstream's


def bent(t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A velocity that depends on time and state."""
    return torch.sin(3 * x + t) * (1 + t * t) - 0.3 * x


@pytest.mark.parametrize("method", solvers.STAGES)
@pytest.mark.parametrize("steps", [1, 7, 9])
def test_steps_are_torchdiffeqs_to_the_last_bit(method, steps):
    grid = time_grid(SynthesisSettings(nfe_step=steps))
    state = torch.randn(1, 40, 100, generator=torch.Generator().manual_seed(steps))
    times, dts = solvers.stage_times(method, grid), grid.diff()
    for k in range(steps):
        theirs = odeint(bent, state, grid[k : k + 2], method=method)[-1]
        ours = solvers.step(method, bent, times[k], dts[k], state)
        assert torch.equal(ours, theirs)
        state = theirs


@pytest.mark.parametrize(("method", "stages"), solvers.STAGES.items())
def test_the_model_is_evaluated_at_the_times_that_were_announced(method, stages):
    grid = time_grid(SynthesisSettings(nfe_step=5))
    times, seen = solvers.stage_times(method, grid), []

    def velocity(t, x):
        seen.append(float(t))
        return x

    for k in range(5):
        solvers.step(method, velocity, times[k], grid[k + 1] - grid[k], torch.zeros(1))
    assert times.shape == (5, stages)
    assert seen == times.flatten().tolist()
