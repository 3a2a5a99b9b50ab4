"""Operators of shapes and places: what stands where in a tensor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.demo_voice.graph.operators import Attributes, operator, together, whole


@operator
def Shape(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(list(x.shape))


@operator
def Reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(whole(shape))])


@operator
def Unsqueeze(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.ndim + axes.numel()
    for axis in sorted(a % rank for a in whole(axes)):
        x = x.unsqueeze(axis)
    return x


@operator
def Squeeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(whole(axes)))


@operator
def Transpose(attributes: Attributes, x: Tensor) -> Tensor:
    return x.permute(attributes.get("perm", list(range(x.ndim))[::-1]))


@operator
def Concat(attributes: Attributes, *parts: Tensor) -> Tensor:
    return torch.cat(together(*parts), attributes["axis"])


@operator
def Split(attributes: Attributes, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    return x.split(whole(sizes) if sizes is not None else -(-x.shape[axis] // attributes["num_outputs"]), axis)


@operator
def Slice(
    attributes: Attributes,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first, last = whole(starts), whole(ends)
    index = [slice(None)] * x.ndim
    where = whole(axes) if axes is not None else range(len(first))
    for axis, a, b, step in zip(
        where, first, last, whole(steps) if steps is not None else [1] * len(first), strict=True
    ):
        index[axis] = slice(a, min(b, x.shape[axis]), step)
    return x[tuple(index)]


@operator
def Gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis, index = attributes.get("axis", 0) % x.ndim, index.to(x.device)
    flat = x.index_select(axis, torch.where(index < 0, index + x.shape[axis], index).reshape(-1))
    return flat.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


@operator
def ScatterND(attributes: Attributes, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    out, index = x.clone(), index.to(x.device)
    out[tuple(index[..., k] for k in range(index.shape[-1]))] = updates.to(x.device)
    return out


@operator
def NonZero(attributes: Attributes, x: Tensor) -> Tensor:
    return x.nonzero().T


@operator
def ConstantOfShape(attributes: Attributes, shape: Tensor) -> Tensor:
    value = attributes["value"].reshape(-1)[0]
    return torch.full(whole(shape), value.item(), dtype=value.dtype, device=attributes.get("device", "cpu"))


@operator
def Expand(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, whole(shape)))


@operator
def Range(attributes: Attributes, first: Tensor, end: Tensor, step: Tensor) -> Tensor:
    return torch.arange(int(first), int(end), int(step))


@operator
def Pad(attributes: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    """Only the last axis is padded: the teacher's graph does no other."""
    p, mode = whole(pads), attributes.get("mode", "constant")
    fill = {} if value is None or mode != "constant" else {"value": float(value)}
    return F.pad(x, (p[x.ndim - 1], p[-1]), mode, **fill)
