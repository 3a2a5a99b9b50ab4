"""Rotary positions and attention, in the way that suits the device. Each takes and gives back the same.

Args:
    qk: queries, already divided by the root of the width, and keys: [rows, frames, 2, heads, width].
    v: [rows, frames, heads, width].
    places: of the frames.
    n_turned: heads that are turned by their position, from the first.

Returns:
    [rows, frames, heads * width].
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.lean.products import has_onednn

log = logging.getLogger("workbench.backends")


class Places(NamedTuple):
    """Where the frames of a chunk lie.

    Attributes:
        angles: of the rotary positions, [frames, width / 2]: complex numbers on a CPU, elsewhere a pair of cosines and
            sines, [2, frames, width / 2].
        valid: 1 where a frame belongs to the chunk and 0 where it fills up its length, [rows, frames, 1]; None where
            all belong to it.
        bounds: where the sequences of all rows begin, one behind the other, int32; each filling is one of its own.
    """

    angles: torch.Tensor
    valid: torch.Tensor | None = None
    bounds: torch.Tensor | None = None


Attention = Callable[[torch.Tensor, torch.Tensor, Places, int], torch.Tensor]


def angles_of(angles: torch.Tensor) -> torch.Tensor:
    """What ``Places.angles`` holds for ``angles``, float32 [frames, width / 2]."""
    if angles.device.type == "cpu":
        return torch.polar(torch.ones_like(angles), angles)
    return torch.stack((angles.cos(), angles.sin()))


def by_head(qk: torch.Tensor, v: torch.Tensor, places: Places, n_turned: int) -> torch.Tensor:
    """On a CPU, one head at a time: its scores stay in the cache, and the products are oneDNN's.

    One thread, two rows of 800 frames and 16 heads: bf16 22 ms where PyTorch's own attention takes 57, fp32 32 instead
    of 58. The rotation is one product of complex numbers, 20 times faster than with cosines and sines.
    """
    rows, frames, _, heads, width = qk.shape
    turned = torch.empty(2, rows, heads, frames, width).copy_(qk.permute(2, 0, 3, 1, 4))
    torch.view_as_complex(torch.unflatten(turned[:, :, :n_turned], -1, (-1, 2))).mul_(places.angles)
    q, k = turned.to(qk.dtype)
    onednn = q.dtype == torch.float32 and has_onednn(q.dtype)
    one_head = _by_onednn if onednn else _by_mm
    # without gaps: oneDNN falls back to its reference code where rows have some, a thousand times slower
    values = v.permute(0, 2, 3, 1).contiguous() if onednn else v.transpose(1, 2)
    out = torch.empty_like(v, memory_format=torch.contiguous_format)
    for row in range(rows):
        for head in range(heads):
            out[row, :, head] = one_head(q[row, head], k[row, head], values[row, head])
    return out.flatten(2)


def _by_mm(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.mm(torch.softmax(torch.mm(q, k.t()), -1), v)


def _by_onednn(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The same with ``v`` [width, frames]; PyTorch's ``mm`` of fp32 asks MKL, which is half as fast on some CPUs."""
    multiply = torch.ops.mkldnn._linear_pointwise
    scores = torch.softmax(multiply(q, k, None, "none", [], ""), -1)
    found: torch.Tensor = multiply(scores, v, None, "none", [], "")
    return found


def _turned(qk: torch.Tensor, angles: torch.Tensor, n_turned: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and keys, turned by their positions in fp32, [rows, frames, heads, width] each."""
    if angles.is_complex():
        angles = torch.view_as_real(angles).movedim(-1, 0)
    cos, sin = angles[:, :, None, None]
    a, b = torch.unflatten(qk[:, :, :, :n_turned].float(), -1, (-1, 2)).unbind(-1)
    some = torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2).to(qk.dtype)
    both = some if n_turned == qk.shape[3] else torch.cat((some, qk[:, :, :, n_turned:]), 3)
    return both[:, :, 0], both[:, :, 1]


def by_sdpa(qk: torch.Tensor, v: torch.Tensor, places: Places, n_turned: int) -> torch.Tensor:
    """By PyTorch's own attention, on any device. All frames must be valid."""
    q, k = (x.transpose(1, 2) for x in _turned(qk, places.angles, n_turned))
    return F.scaled_dot_product_attention(q, k, v.transpose(1, 2), scale=1.0).transpose(1, 2).flatten(2)


def by_sequences(qk: torch.Tensor, v: torch.Tensor, places: Places, n_turned: int) -> torch.Tensor:
    """By flash attention over sequences whose lengths lie on the device, so that a recorded graph serves them all."""
    assert places.bounds is not None
    q, k = _turned(qk, places.angles, n_turned)
    flat = (x.flatten(0, 1) for x in (q, k, v))  # views: flash attention reads rows with gaps
    made: torch.Tensor = flash(*flat, places.bounds, qk.shape[1])
    return made.view(*qk.shape[:2], -1)


def by_kernel(qk: torch.Tensor, v: torch.Tensor, places: Places, n_turned: int) -> torch.Tensor:
    """The same by a kernel that Triton compiles, which computes nothing for the fillings."""
    assert places.bounds is not None
    q, k = _turned(qk, places.angles, n_turned)
    made: torch.Tensor = of_sequences(q, k, v, places.bounds)
    return made.flatten(2)


@torch.library.custom_op("workbench::attention", mutates_args=())
def of_sequences(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
    """Attention within the sequences between ``bounds``, two to a row; q, k, v: [rows, frames, heads, width]."""
    if q.device.type == "cuda":
        from workbench.engine.model.backends.lean.kernels import attended

        return attended(q, k, v, bounds)
    made: torch.Tensor = flash(*(x.flatten(0, 1) for x in (q, k, v)), bounds, q.shape[1])
    return made.view(q.shape)


@of_sequences.register_fake
def _(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
    return q.new_empty(q.shape)


@torch.library.custom_op("workbench::flash", mutates_args=())
def flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
    """Attention within each of the sequences between ``bounds``; q, k, v: [frames of all, heads, width]."""
    if q.device.type == "cuda":
        made: torch.Tensor = torch.ops.aten._flash_attention_forward(
            q, k, v, bounds, bounds, longest, longest, 0.0, False, False, scale=1.0
        )[0]
        return made
    ends = bounds.tolist()
    parts = [(a, b) for a, b in itertools.pairwise(ends) if b > a]
    made = q.new_empty(q.shape)
    for a, b in parts:
        q1, k1, v1 = (x[a:b].transpose(0, 1)[None] for x in (q, k, v))
        made[a:b] = F.scaled_dot_product_attention(q1, k1, v1, scale=1.0)[0].transpose(0, 1)
    return made


@flash.register_fake
def _(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
    return q.new_empty(q.shape)


@lru_cache
def has_flash(device: str, dtype: torch.dtype, width: int) -> bool:
    """Whether ``flash`` computes heads of ``width`` in ``dtype`` on this device.

    It calls an operator that is not public: another release of PyTorch may lack it, or take other arguments; and older
    GPUs cannot run it.
    """
    q = torch.linspace(-1, 1, 80 * 2 * width).view(80, 2, width).to(dtype)
    bounds = torch.tensor([0, 50, 64, 64, 80], dtype=torch.int32)  # one is empty, as that of a chunk without filling
    given = q * width**-0.5, q.flip(0), q.flip(1), bounds
    try:
        there = flash(*(value.to(device) for value in given), 64).cpu()
    except (RuntimeError, TypeError) as error:
        log.info("no flash attention on %s: %s", device, error)
        return False
    return torch.allclose(there.float(), flash(*given, 64).float(), atol=5e-2)  # another result is off by far more
