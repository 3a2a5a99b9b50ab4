"""One step of Euler, midpoint and rk4, with the arithmetic of torchdiffeq.

The results equal those of torchdiffeq 0.2.5 exactly (a test compares them). Own code because ``odeint`` reads values
back eight times per step, so that a GPU waits, and because a backend needs the times of all evaluations in advance.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_THIRD, _TWO_THIRDS = 1 / 3, 2 / 3
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}
"""Evaluations of the model in one step of each method."""


def stage_times(method: str, grid: torch.Tensor) -> torch.Tensor:
    """Return the flow times at which ``method`` evaluates the model, in order, float32 [steps, stages]."""
    t0, t1 = grid[:-1], grid[1:]
    dt = t1 - t0
    stages = {
        "euler": (t0,),
        "midpoint": (t0, t0 + 0.5 * dt),
        "rk4": (t0, t0 + dt * _THIRD, t0 + dt * _TWO_THIRDS, t1),
    }[method]
    return torch.stack(stages, 1)


def step(method: str, velocity: Velocity, times: torch.Tensor, dt: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Return ``state`` after one step.

    Args:
        method: "euler", "midpoint" or "rk4" (the 3/8 rule).
        velocity: called as ``velocity(time, state)``.
        times: a row of ``stage_times``.
        dt: length of the step, a scalar.
        state: at the start of the step.
    """
    k1 = velocity(times[0], state)
    if method == "euler":
        return state + dt * k1
    if method == "midpoint":
        return state + dt * velocity(times[1], state + k1 * (0.5 * dt))
    k2 = velocity(times[1], state + dt * k1 * _THIRD)
    k3 = velocity(times[2], state + dt * (k2 - k1 * _THIRD))
    k4 = velocity(times[3], state + dt * (k1 - k2 + k3))
    return state + (k1 + 3 * (k2 + k3) + k4) * dt * 0.125
