"""Solve the ODE that turns noise into a mel, step by step, so that it can be watched, timed and stopped.

Equations and order of operations are those of upstream's ``CFM.sample`` (f5_tts/model/cfm.py, version 1.1.22); a test
compares the two. Own code because upstream's call cannot be stopped between steps, keeps every state in memory, and
after an error leaves the text in its cache for the next call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.engine.model.backends import solvers
from workbench.engine.model.backends.base import Backend, Field, Preparations
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.stopwatch import StepClock, StepEvents
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.trajectory import Trajectory


@dataclass(frozen=True)
class Solution:
    """Result of the solver: ``mel`` float32 [frames, n_mels] of the chunk without the reference, on the device."""

    mel: torch.Tensor
    trajectory: Trajectory | None
    step_seconds: tuple[float, ...]
    n_evaluations: int


def time_grid(chosen: SynthesisSettings) -> torch.Tensor:
    """Flow times of the ODE steps, float32 [nfe_step + 1], from 0 to 1.

    A pruned grid (EPSS, arXiv 2505.19931) if one exists and is enabled, else a uniform grid; then sway sampling
    (arXiv 2410.06885): t + s (cos(pi t / 2) - 1 + t).
    """
    from f5_tts.model.utils import get_epss_timesteps

    grid: torch.Tensor
    if chosen.use_epss:
        grid = get_epss_timesteps(chosen.nfe_step, device="cpu", dtype=torch.float32)
    else:
        grid = torch.linspace(0, 1, chosen.nfe_step + 1)
    if chosen.sway_sampling_coef is not None:
        grid = grid + chosen.sway_sampling_coef * (torch.cos(torch.pi / 2 * grid) - 1 + grid)
    return grid


def initial_noise(seed: int, n_frames: int, n_mels: int) -> torch.Tensor:
    """The initial noise, float32 [n_frames, n_mels], the same on every machine and device.

    Differs from upstream, which seeds the global generator and draws on the model's device; on the CPU the values are
    the same.
    """
    return torch.randn(n_frames, n_mels, generator=torch.Generator().manual_seed(seed))


class Flow:
    """The velocity field of one chunk, a function of time and state for fixed model, reference and text.

    Args:
        cfm: upstream's model.
        cond: mel of the reference, float32 [frames, n_mels], on the model's device.
        tokens: text of reference and chunk as upstream's tokens.
        duration: frames of reference and chunk together; raised, as upstream does, if there are more tokens.
        cfg_strength: strength of classifier-free guidance; off below 1e-5.
        backend: how the model is evaluated; upstream's own way if not given.

    Attributes:
        preparations: seconds of "compile" and "capture", where this chunk was the first to need them.
    """

    def __init__(
        self,
        cfm: Any,
        cond: torch.Tensor,
        tokens: list[str],
        duration: int,
        cfg_strength: float,
        backend: Backend | None = None,
    ) -> None:
        from f5_tts.model.utils import list_str_to_idx

        self.transformer = cfm.transformer
        self.cfg_strength = cfg_strength
        self.n_evaluations = 0
        self.text = list_str_to_idx([tokens], cfm.vocab_char_map).to(cond.device)
        self.n_frames = max(duration, max(self.text.shape[1], len(cond)) + 1)
        self.dtype = self.transformer.proj_out.weight.dtype
        padded = torch.nn.functional.pad(cond, (0, 0, 0, self.n_frames - len(cond)))
        self.cond = padded[None].to(self.dtype)
        self._backend = backend or Eager()
        self._field: Field | None = None
        self.preparations = Preparations()

    @property
    def field(self) -> Field:
        """The backend's part, while the text is embedded."""
        assert self._field is not None, "call it inside text_embedded"
        return self._field

    def preparing(self, name: str) -> AbstractContextManager[None]:
        """Add the seconds of the block to ``preparations``: work that the next chunk like this will be spared."""
        return self.preparations.noting(name)

    def embed_text(self) -> None:
        """Embed the text once for all steps, and compute what no step changes."""
        self._field = self._backend.begin(self)

    def close(self) -> None:
        """Give back what the chunk held."""
        if self._field is not None:
            self._field.close()
        self._field = None

    def __call__(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Velocity at time ``t`` and state ``x`` [1, frames, n_mels], float32."""
        self.n_evaluations += 1
        return self.field.velocity(t, x)


@contextmanager
def text_embedded(flow: Flow) -> Iterator[None]:
    """Keep the text embedded during the block, and forget it however the block ends.

    Upstream forgets it only after success: after a cancelled chunk the next one would fail or speak the old text.
    """
    try:
        flow.embed_text()
        yield
    finally:
        flow.close()


def solve(
    flow: Flow,
    chosen: SynthesisSettings,
    seed: int,
    ref_frames: int,
    *,
    on_step: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    keep_bytes: int = 0,
) -> Solution:
    """Solve the ODE from noise to a mel. Call inside ``text_embedded`` and ``torch.inference_mode``.

    Args:
        flow: velocity field of the chunk.
        chosen: number of steps, grid and method.
        seed: seed of the noise.
        ref_frames: frames of the reference, removed from the start of the result.
        on_step: called with (steps done, total steps) before the first step and after each, when the device is done
            with it. Raise from it to stop; on a GPU one more step is under way then, so that it never waits for this.
        clock: returns seconds; must synchronise with the device if that works asynchronously.
        keep_bytes: memory for intermediate states; 0 keeps none.
    """
    device, method = flow.cond.device, chosen.ode_method
    on_cpu = time_grid(chosen)
    flow.field.plan(solvers.stage_times(method, on_cpu).flatten())
    grid = on_cpu.to(device)
    times, lengths, n_steps = solvers.stage_times(method, grid), grid.diff(), len(grid) - 1
    state = initial_noise(seed, flow.n_frames, flow.cond.shape[-1])[None].to(device)
    recorder = _Recorder(state[0, ref_frames:], n_steps, keep_bytes) if keep_bytes else None
    stopwatch = StepEvents(device) if device.type == "cuda" else StepClock(clock)
    n_told = 0

    def tell(n_done: int) -> None:
        nonlocal n_told
        while on_step and n_told < n_done:
            stopwatch.wait(n_told)
            n_told += 1
            on_step(n_told, n_steps)

    if on_step:
        on_step(0, n_steps)
    for i in range(n_steps):
        with stopwatch:
            following = solvers.step(method, flow, times[i], lengths[i], state)
        if recorder:
            recorder.add(i, state[0, ref_frames:], following[0, ref_frames:])
        state = following
        tell(i + 1 - stopwatch.ahead)
    tell(n_steps)
    trajectory = recorder.finish(grid) if recorder else None
    return Solution(state[0, ref_frames:], trajectory, stopwatch.seconds(), flow.n_evaluations)


class _Recorder:
    """Keeps states as float16 on the CPU: all, or as many as ``keep_bytes`` allow, evenly spaced."""

    def __init__(self, first: torch.Tensor, n_steps: int, keep_bytes: int) -> None:
        affordable = max(2, keep_bytes // (first.numel() * 2))
        n_kept = min(n_steps + 1, affordable)
        self.kept = sorted({round(i) for i in np.linspace(0, n_steps, n_kept)})
        self.states = [self._copy(first)]
        self.distances: list[float] = []

    @staticmethod
    def _copy(state: torch.Tensor) -> np.ndarray:
        return state.to("cpu", torch.float16).numpy().copy()

    def add(self, step: int, before: torch.Tensor, after: torch.Tensor) -> None:
        self.distances.append(float((after - before).square().mean().sqrt()))
        if step + 1 in self.kept:
            self.states.append(self._copy(after))

    def finish(self, grid: torch.Tensor) -> Trajectory:
        return Trajectory(grid.cpu().numpy()[self.kept], np.stack(self.states), np.array(self.distances, np.float32))
