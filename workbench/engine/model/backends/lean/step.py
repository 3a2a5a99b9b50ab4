"""Upstream's DiT as one lean evaluation: the same mathematics, in fewer operations and those that suit the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.lean.attention import (
    Attention,
    Places,
    angles_of,
    by_head,
    by_kernel,
    by_sdpa,
    by_sequences,
)
from workbench.engine.model.backends.lean.convolution import Convolution, Fused, convolution
from workbench.engine.model.backends.lean.products import product

_WIDEST = 64  # head or group whose tiles fit the shared memory of all GPUs with bf16
_EPSILON = 1e-6  # of upstream's norms
_PER_BLOCK = 6  # modulations of a block, in upstream's order: shift, scale, gate of the attention; the same of the MLP


def modulated(h: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The norm of ``h`` [rows, frames, dim], times ``scale`` plus ``shift``, both [dim]."""
    return F.layer_norm(h, (h.shape[-1],), scale, shift, eps=_EPSILON)


class Block:
    """One layer: attention and MLP, from copies of its weights. Ends with the next layer's norm."""

    def __init__(self, block: Any, attend: Attention) -> None:
        layer, self.attend = block.attn, attend
        self.width = len(layer.to_q.weight) // layer.heads
        self.heads, self.n_turned = layer.heads, layer.processor.pe_attn_head or layer.heads
        # the divisor of the scores lies in q: in its weights, or in those of its norm
        q, k, v = layer.to_q, layer.to_k, layer.to_v
        divisor = self.width**-0.5
        self.norms: tuple[torch.Tensor, torch.Tensor] | None = None
        if layer.q_norm is not None:
            self.norms, divisor = (layer.q_norm.weight.detach() * divisor, layer.k_norm.weight.detach()), 1.0
        weight = torch.cat([q.weight * divisor, k.weight, v.weight])
        bias = torch.cat([q.bias * divisor, k.bias, v.bias])
        self.qkv, self.out = product(weight, bias), product(layer.to_out[0].weight, layer.to_out[0].bias)
        first, last = block.ff.ff[0][0], block.ff.ff[2]
        self.first, self.last = product(first.weight, first.bias), product(last.weight, last.bias)

    def __call__(
        self, h: torch.Tensor, a: torch.Tensor, m: torch.Tensor, places: Places
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``h`` after this layer, and its norm for the next.

        Args:
            h: [rows, frames, dim].
            a: its norm, modulated for this layer's attention.
            m: gate of the attention; shift, scale, gate of the MLP; shift, scale of the next norm: [6, dim].
            places: of the frames.
        """
        rows, frames, _ = a.shape
        qkv = self.qkv(a).view(rows, frames, 3, self.heads, -1)
        qk = qkv[:, :, :2]
        if self.norms is not None:
            widths = qk.shape[-1:]
            pair = [F.rms_norm(qk[:, :, i], widths, norm, _EPSILON) for i, norm in enumerate(self.norms)]
            qk = torch.stack(pair, 2)
        h = torch.addcmul(h, m[0], self.out(self.attend(qk, qkv[:, :, 2], places, self.n_turned)))
        inner = self.first.gelu(modulated(h, m[1], m[2]), "tanh")
        h = torch.addcmul(h, m[3], self.last(inner))
        return h, modulated(h, m[4], m[5])


class Means(NamedTuple):
    """How frames are brought together: the attention of all layers, and the two convolutions of the positions."""

    attend: Attention
    convolve: tuple[Convolution, Convolution]


class LeanStep:
    """An evaluation of upstream's DiT on all rows of a chunk: guided ones first, then free ones.

    Args:
        model: upstream's DiT, in its number format and on its device. Its weights stay where they are; those of the
            layers' products are copied.
        attend: how; by default what suits the device, where all frames are valid.

    Attributes:
        plain, compiled: the means of the operations as they are, and compiled.
        uses_kernels: whether those in use are our own kernels.
    """

    def __init__(self, model: Any, attend: Attention | None = None) -> None:
        self.model = model
        self.dtype, self.device = model.proj_out.weight.dtype, model.proj_out.weight.device
        attend = attend or (by_head if self.device.type == "cpu" else by_sdpa)
        self.blocks = [Block(block, attend) for block in model.transformer_blocks]
        projection, self.n_mels = model.input_embed.proj, model.proj_out.weight.shape[0]
        self.of_state = product(projection.weight[:, : self.n_mels], None)
        self.of_constants = product(projection.weight[:, self.n_mels :], projection.bias)
        first, _, second, _ = model.input_embed.conv_pos_embed.conv1d
        self.plain = Means(attend, (convolution(first), convolution(second)))
        self.compiled = self.plain
        if attend is by_sequences and self.blocks[0].width <= _WIDEST and first.weight.shape[1] <= _WIDEST:
            self.compiled = Means(by_kernel, (Fused(first), Fused(second)))
        self.use(self.plain)
        self.proj_out = product(model.proj_out.weight, model.proj_out.bias)
        skip = model.long_skip_connection
        self.skip = None if skip is None else product(skip.weight, None)
        # or the same, compiled
        self.run_enter: Callable[..., tuple[torch.Tensor, torch.Tensor]] = LeanStep.enter
        self.run_block: Callable[..., tuple[torch.Tensor, torch.Tensor]] = Block.__call__
        self.run_leave: Callable[[LeanStep, torch.Tensor], torch.Tensor] = LeanStep.leave

    def use(self, means: Means) -> None:
        """Compute by ``means`` from now on."""
        self.uses_kernels, self.convolve = means.attend is by_kernel, means.convolve
        for block in self.blocks:
            block.attend = means.attend

    def modulations(self, times: torch.Tensor) -> torch.Tensor:
        """What the flow times [evaluations] do to all layers: [evaluations, 6 * layers + 2, dim], scales plus one."""
        embedded = F.silu(self.model.time_embed(times))
        layers = [block.attn_norm.linear(embedded) for block in self.model.transformer_blocks]
        scale, shift = self.model.norm_out.linear(embedded).chunk(2, -1)
        found: torch.Tensor = torch.cat((*layers, shift, scale), -1).view(len(times), -1, self.model.dim)
        found[:, 1::3][:, : 2 * len(layers)] += 1
        found[:, -1] += 1
        return found

    def constants(self, cond: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The part of the input projection that no step changes, [rows, frames, dim].

        Args:
            cond: reference, [1, frames, n_mels].
            text: embedded, [rows, frames, text_dim]: the guided row, and the free one if there is guidance.
        """
        audio = torch.cat((cond, torch.zeros_like(cond)))[: len(text)]
        return self.of_constants(torch.cat((audio, text), -1).to(self.dtype))

    def angles(self, frames: int) -> torch.Tensor:
        """``Places.angles`` of the frames of a chunk."""
        angles, _ = self.model.rotary_embed.forward_from_seq_len(frames)
        return angles_of(angles[0, :, ::2].contiguous())

    def __call__(self, x: torch.Tensor, constants: torch.Tensor, m: torch.Tensor, places: Places) -> torch.Tensor:
        """The backbone's output, float32 [rows, frames, n_mels].

        Args:
            x: states of the chunks, float32 [chunks, frames, n_mels].
            constants: of ``constants``, [rows, frames, dim]: as many rows as chunks, or twice as many.
            m: a row of ``modulations``.
            places: of the frames.
        """
        h, a = self.run_enter(self, x, constants, m[:2], places)
        entered = h
        for i, block in enumerate(self.blocks):
            h, a = self.run_block(block, h, a, m[_PER_BLOCK * i + 2 : _PER_BLOCK * i + 8], places)
        if self.skip is not None:
            a = modulated(self.skip(torch.cat((h, entered), -1)), m[-2], m[-1])
        return self.run_leave(self, a)

    def enter(
        self, x: torch.Tensor, constants: torch.Tensor, m: torch.Tensor, places: Places
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The state in all rows, with its position embedding, and its norm for the first layer."""
        h = self.of_state(x.to(self.dtype))
        h = (torch.unflatten(constants, 0, (-1, len(x))) + h).flatten(0, 1)
        c = h
        for convolve in self.convolve:
            c = convolve(c if places.valid is None else c * places.valid)
        h = c + h
        return h, modulated(h, m[0], m[1])

    def leave(self, a: torch.Tensor) -> torch.Tensor:
        """The velocities of all rows, float32."""
        return self.proj_out(a).float()
