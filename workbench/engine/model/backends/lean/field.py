"""The lean backend: what is constant over the steps of a chunk is computed once, the rest in few operations."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch

from workbench.engine.model.backends.base import CFG_OFF
from workbench.engine.model.backends.lean.step import LeanStep
from workbench.engine.model.backends.lean.text import LeanText

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow

_WINDOW = 16  # evaluations whose modulations are computed in one product
_WINDOWS_KEPT = 8  # of 4 MB each at full size in bf16; a grid of 32 steps has two


def fits(model: Any) -> bool:
    """Whether ``model`` is a backbone that lean evaluates: upstream's DiT, in all its variants."""
    from f5_tts.model.backbones.dit import DiT

    return type(model) is DiT


class Lean:
    """Evaluates upstream's DiT from copies of its weights.

    Args:
        cfm: upstream's model.
    """

    name = "lean"
    recorded = "lean"

    def __init__(self, cfm: Any) -> None:
        self.step = LeanStep(cfm.transformer)
        self.text = LeanText(cfm.transformer.text_embed)
        self._windows: OrderedDict[tuple[float, ...], torch.Tensor] = OrderedDict()

    def begin(self, flow: Flow) -> LeanField:
        """The field of ``flow``, its text embedded."""
        return LeanField(self, flow)

    def modulations(self, times: tuple[float, ...]) -> torch.Tensor:
        """``LeanStep.modulations`` of at most 16 times; the same for every chunk and run, so the latest are kept."""
        if times not in self._windows:
            self._windows[times] = self.step.modulations(torch.tensor(times, device=self.step.device))
            while len(self._windows) > _WINDOWS_KEPT:
                self._windows.popitem(last=False)
        self._windows.move_to_end(times)
        return self._windows[times]


class LeanField:
    """The velocity of one chunk."""

    def __init__(self, backend: Lean, flow: Flow) -> None:
        self.backend, self.strength = backend, flow.cfg_strength
        self.guided = flow.cfg_strength >= CFG_OFF
        text = backend.text(flow.text, flow.n_frames, self.guided)
        self.constants = backend.step.constants(flow.cond, text.to(flow.dtype))
        self.tables = backend.step.tables(flow.n_frames)
        self.times: list[float] = []
        self.done = 0

    def plan(self, times: torch.Tensor) -> None:
        """See ``Field``."""
        self.times, self.done = times.tolist(), 0

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See ``Field``. After ``plan``, ``t`` is the next of its times."""
        rows = self.backend.step(x, self.constants, self._modulation(t), self.tables).float()
        if not self.guided:
            return rows
        guided, free = rows.chunk(2)
        return guided + (guided - free) * self.strength

    def _modulation(self, t: torch.Tensor) -> torch.Tensor:
        if self.done >= len(self.times):
            return self.backend.modulations((float(t),))[0]
        first = self.done - self.done % _WINDOW
        window = self.backend.modulations(tuple(self.times[first : first + _WINDOW]))
        self.done += 1
        return window[self.done - 1 - first]

    def close(self) -> None:
        """Nothing is held elsewhere."""
