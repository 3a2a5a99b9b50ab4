"""Upstream's forward pass recorded as a CUDA graph: the same kernels in the same order, without their launches."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from workbench.engine.model.backends.base import Field
from workbench.engine.model.backends.eager import Eager, EagerField
from workbench.engine.model.backends.graphs import CudaRecorder, Function, Graphs, Recorded

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow


class Inputs(NamedTuple):
    """What a recorded evaluation reads."""

    x: torch.Tensor
    t: torch.Tensor
    cond: torch.Tensor
    text_cond: torch.Tensor
    text_uncond: torch.Tensor


class Graph(Eager):
    """Replays eager's evaluation. A graph serves one length and strength of guidance, for any text and reference.

    Where recording fails, eager takes its place; the samples are the same. Text and vocoder stay eager's: they run once
    a chunk, and at a length to the frame, which rarely comes again, recording them costs more than it saves.

    Args:
        device: a CUDA device; or ``graphs``, which tests bring.
    """

    name = "graph"
    recorded = "graph"
    usual_frames = ()  # a graph serves one length to the frame: none is usual

    def __init__(self, device: str, graphs: Graphs | None = None) -> None:
        self.graphs = Graphs(CudaRecorder(device)) if graphs is None else graphs

    def begin(self, flow: Flow) -> Field:
        """The field of ``flow``, its text embedded."""
        eager = EagerField(flow)
        found = self.graphs.recorded((flow.n_frames, flow.cfg_strength), lambda: _made(eager), flow.preparing)
        return eager if found is None else GraphField(eager, found)


def _made(eager: EagerField) -> tuple[Inputs, Function]:
    """Memory that stays, and eager's evaluation on it."""
    flow, model = eager.flow, eager.model
    inputs = Inputs(
        torch.zeros(flow.cond.shape, device=flow.cond.device),
        torch.zeros((), device=flow.cond.device),
        *(value.clone() for value in (flow.cond, model.text_cond, model.text_uncond)),
    )
    still = copy.copy(eager)
    still.flow = copy.copy(flow)
    still.flow.cond = inputs.cond

    def evaluate() -> torch.Tensor:
        kept = model.text_cond, model.text_uncond
        model.text_cond, model.text_uncond = inputs.text_cond, inputs.text_uncond
        try:
            return still.velocity(inputs.t, inputs.x)
        finally:
            model.text_cond, model.text_uncond = kept

    return inputs, evaluate


class GraphField:
    """The velocity of one chunk, by replaying."""

    def __init__(self, eager: EagerField, found: Recorded) -> None:
        self._eager, self._found = eager, found
        inputs, model = found.inputs, eager.model
        for kept, value in zip(inputs[2:], (eager.flow.cond, model.text_cond, model.text_uncond), strict=True):
            kept.copy_(value)

    def plan(self, times: torch.Tensor) -> None:
        """See ``Field``."""

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See ``Field``."""
        inputs: Any = self._found.inputs
        inputs.x.copy_(x)
        inputs.t.copy_(t)
        self._found.replay()
        return self._found.output.clone()  # rk4 needs the velocities of four evaluations at once

    def close(self) -> None:
        """See ``Field``."""
        self._eager.close()
