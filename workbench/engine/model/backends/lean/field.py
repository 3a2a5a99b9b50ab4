"""The lean backend: what is constant over the steps of a chunk is computed once, the rest in few operations.

On CUDA its operations are compiled by Triton when the first chunk needs them, and recorded in graphs, as are the text
embedding and the vocoder's backbone. There lengths are filled up to a multiple of 64 frames, so that a graph serves
many; the fillings are sequences of their own in attention and zero in the convolutions, so nothing of them is heard.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.base import CFG_OFF
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.graphs import CudaRecorder, Graphs, Noting, Recorded
from workbench.engine.model.backends.lean.attention import Places, by_sequences, has_flash
from workbench.engine.model.backends.lean.compiling import Compiler
from workbench.engine.model.backends.lean.step import LeanStep
from workbench.engine.model.backends.lean.text import LeanText
from workbench.engine.model.backends.vocoder import decoded

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow

log = logging.getLogger("workbench.backends")

BUCKET = 64  # frames
_WINDOW = 16  # evaluations whose modulations are computed in one product
_WINDOWS_KEPT = 8  # of 4 MB each at full size in bf16; a grid of 32 steps has two


def fits(model: Any) -> bool:
    """Whether ``model`` is a backbone that lean evaluates: upstream's DiT, in all its variants."""
    from f5_tts.model.backbones.dit import DiT

    return type(model) is DiT


class Inputs(NamedTuple):
    """What a recorded evaluation reads."""

    x: torch.Tensor
    constants: torch.Tensor
    m: torch.Tensor
    strength: torch.Tensor
    places: Places


class Lean:
    """Evaluates upstream's DiT from copies of its weights.

    Args:
        cfm: upstream's model.
        graphs: records evaluations, texts and vocoder; None calls the operations one by one.
        compiler: compiles the operations; None leaves them as they are.
        fill_up: lengths are filled up to a multiple of 64 frames. The format must be one that flash attention takes.
    """

    name = "lean"

    def __init__(
        self, cfm: Any, graphs: Graphs | None = None, compiler: Compiler | None = None, *, fill_up: bool = False
    ) -> None:
        self.step = LeanStep(cfm.transformer, by_sequences if fill_up else None)
        self.text = LeanText(cfm.transformer.text_embed, graphs)
        self.graphs, self.compiler, self.fill_up = graphs, compiler, fill_up
        self._windows: OrderedDict[tuple[float, ...], torch.Tensor] = OrderedDict()
        self._tried: set[int] = set()  # numbers of rows of which a step was recorded

    @property
    def recorded(self) -> str:
        """Compiled operations add up in another order than those that are not."""
        return "lean, compiled" if self.compiler is not None and not self.compiler.failure else "lean"

    @property
    def usual_frames(self) -> Sequence[int]:
        """Lengths of 14 to 6 s, a reference and a sentence or two: a graph serves each of their buckets.

        The longest comes first: the memory of its graph serves all others.
        """
        usual = range(21 * BUCKET, 8 * BUCKET, -BUCKET)
        return usual if self.fill_up else usual[:1] if self.compiler is not None else ()

    def begin(self, flow: Flow) -> LeanField:
        """The field of ``flow``, its text embedded."""
        return LeanField(self, flow)

    def decode(self, vocoder: Any, mel: torch.Tensor, noting: Noting) -> torch.Tensor:
        """See ``Backend``."""
        wave = None if self.graphs is None else decoded(vocoder, mel, self.graphs, noting)
        return Eager().decode(vocoder, mel, noting) if wave is None else wave

    def modulations(self, times: tuple[float, ...]) -> torch.Tensor:
        """``LeanStep.modulations`` of at most 16 times; the same for every chunk and run, so the latest are kept."""
        if times not in self._windows:
            self._windows[times] = self.step.modulations(torch.tensor(times, device=self.step.device))
            while len(self._windows) > _WINDOWS_KEPT:
                self._windows.popitem(last=False)
        self._windows.move_to_end(times)
        return self._windows[times]

    def evaluate(self, inputs: Inputs) -> torch.Tensor:
        """The velocity of the filled chunk, float32 [1, frames, n_mels], guidance included."""
        rows = self.step(inputs.x, inputs.constants, inputs.m, inputs.places)
        if len(rows) == len(inputs.x):
            return rows
        guided, free = rows.chunk(2)
        return guided + (guided - free) * inputs.strength

    def inputs(self, flow: Flow) -> Inputs:
        """All that an evaluation of ``flow`` reads; ``x`` and ``m`` are zeros for now."""
        guided, frames, device = flow.cfg_strength >= CFG_OFF, flow.n_frames, flow.cond.device
        whole = -(-frames // BUCKET) * BUCKET if self.fill_up else frames
        text = self.text(flow.text, frames, guided, flow.preparing)
        constants = F.pad(self.step.constants(flow.cond, text.to(flow.dtype)), (0, 0, 0, whole - frames))
        places, n_modulations = Places(self.step.angles(whole)), 6 * len(self.step.blocks) + 2
        if self.fill_up:
            rows = len(text)
            valid = torch.arange(whole, device=device)[None, :, None] < frames
            ends = [row * whole + end for row in range(rows) for end in (frames, whole)]
            bounds = torch.tensor([0, *ends], dtype=torch.int32, device=device)
            places = Places(places.angles, valid.expand(rows, -1, -1).to(flow.dtype).contiguous(), bounds)
        return Inputs(
            torch.zeros(1, whole, self.step.n_mels, device=device), constants,
            torch.zeros(n_modulations, self.step.model.dim, dtype=flow.dtype, device=device),
            torch.tensor(flow.cfg_strength, device=device), places,
        )  # fmt: skip

    def prepared(self, flow: Flow, inputs: Inputs) -> Recorded | None:
        """The recorded evaluation for all chunks like ``inputs``, which it keeps if it is new; None without graphs.

        The first of all with as many rows compiles.
        """
        shape, compiler = tuple(inputs.constants.shape), self.compiler
        is_broken = self.graphs is not None and bool(self.graphs.failure)
        if compiler is not None and not compiler.is_ready(shape[0]) and not is_broken:
            with flow.preparing("compile"):
                compiler.compile(self.step, lambda: self.evaluate(inputs), shape[0])
        if self.graphs is None:
            return None
        key, tried = ("step", *shape), shape[0] in self._tried
        found = self.graphs.recorded(key, lambda: (inputs, lambda: self.evaluate(inputs)), flow.preparing, tried)
        if found is None and compiler is not None:  # what is left to compile would fail, in the middle of a chunk
            compiler.give_up(self.step, self.graphs.failure)
        elif self.step.uses_kernels:  # which serve all lengths, where cuDNN would set up each
            self._tried.add(shape[0])
        return found


def lean_on_cuda(cfm: Any, device: str) -> Lean:
    """Lean compiled and in graphs; filled up to buckets where flash attention takes the model's format and heads."""
    model = cfm.transformer
    width = model.rotary_embed.inv_freq.shape[0] * 2
    halves = model.proj_out.weight.dtype in (torch.float16, torch.bfloat16)
    fill_up = halves and has_flash(device, model.proj_out.weight.dtype, width)
    return Lean(cfm, Graphs(CudaRecorder(device)), Compiler(), fill_up=fill_up)


class LeanField:
    """The velocity of one chunk."""

    def __init__(self, backend: Lean, flow: Flow) -> None:
        self._backend, self._frames = backend, flow.n_frames
        self._times: list[float] = []
        self._done = 0
        mine = backend.inputs(flow)
        self._found = backend.prepared(flow, mine)
        self.inputs: Inputs = mine if self._found is None else self._found.inputs
        if self.inputs is not mine:
            for kept, value in zip(_flat(self.inputs), _flat(mine), strict=True):
                kept.copy_(value)

    def plan(self, times: torch.Tensor) -> None:
        """See ``Field``."""
        self._times, self._done = times.tolist(), 0

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See ``Field``. After ``plan``, ``t`` is the next of its times."""
        self.inputs.x[:, : self._frames].copy_(x)
        self.inputs.m.copy_(self._modulation(t))
        if self._found is None:
            return self._backend.evaluate(self.inputs)[:, : self._frames]
        self._found.replay()
        return self._found.output[:, : self._frames].clone()  # rk4 needs the velocities of four evaluations at once

    def _modulation(self, t: torch.Tensor) -> torch.Tensor:
        if self._done >= len(self._times):
            return self._backend.modulations((float(t),))[0]
        first = self._done - self._done % _WINDOW
        window = self._backend.modulations(tuple(self._times[first : first + _WINDOW]))
        self._done += 1
        return window[self._done - 1 - first]

    def close(self) -> None:
        """Nothing is held elsewhere."""


def _flat(inputs: Inputs) -> list[torch.Tensor]:
    """The tensors of ``inputs``."""
    return [value for value in (*inputs[:-1], *inputs.places) if value is not None]
