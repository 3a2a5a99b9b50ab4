"""What the operators of an ONNX graph do, in PyTorch: those that the teacher's graph uses, by their names.

Each function gets the node's attributes and its inputs, None for one that is left out. Meanings are those of the ONNX
operator specification and, for `FastGelu`, `FusedMatMul` and `SkipLayerNormalization`, of onnxruntime's own domain.
Shapes and indices stay on the CPU, where they cost nothing to read; numbers follow the device of the larger tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Attributes = dict[str, Any]
OPERATORS: dict[str, Callable[..., Any]] = {}
TYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float32, 11: torch.float64,
}  # fmt: skip
"""Number of an ONNX type to PyTorch's; halves are computed in single precision."""


def operator(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a function under its name."""
    OPERATORS[function.__name__] = function
    return function


def whole(t: Tensor) -> list[int]:
    """The whole numbers in a tensor."""
    return [int(v) for v in t.reshape(-1).tolist()]


def together(*tensors: Tensor) -> list[Tensor]:
    """All on one device, that of the first that is not on the CPU."""
    device = next((t.device for t in tensors if t.device.type != "cpu"), tensors[0].device)
    return [t.to(device) for t in tensors]


# One number at a time ------------------------------------------------------------------------------------------------

for _name, _function in {
    "Identity": lambda x: x, "Sqrt": torch.sqrt, "Floor": torch.floor, "Round": torch.round, "Sin": torch.sin,
    "Cos": torch.cos, "Exp": torch.exp, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid,
    "Atan": lambda x: x.atan().nan_to_num(0.0),  # 0 / 0 where there is no sound
}.items():  # fmt: skip
    OPERATORS[_name] = lambda attributes, x, f=_function: f(x)

for _name, _function in {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Equal": torch.eq, "Greater": torch.gt, "Less": torch.lt,
    "GreaterOrEqual": torch.ge, "And": torch.logical_and,
}.items():  # fmt: skip
    OPERATORS[_name] = lambda attributes, a, b, f=_function: f(*together(a, b))


@operator
def Div(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    a, b = together(a, b)
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


@operator
def Pow(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    return a.square() if b.numel() == 1 and float(b) == 2 else a ** b.to(a.device)


@operator
def LeakyRelu(attributes: Attributes, x: Tensor) -> Tensor:
    return F.leaky_relu(x, attributes.get("alpha", 0.01))


@operator
def FastGelu(attributes: Attributes, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


@operator
def Clip(attributes: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


@operator
def Cast(attributes: Attributes, x: Tensor) -> Tensor:
    return x.to(TYPES[attributes["to"]])


@operator
def Where(attributes: Attributes, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(*together(condition, a, b))


@operator
def DequantizeLinear(attributes: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    x = x.float().to(scale.device)
    return (x if zero is None else x - zero.float().to(scale.device)) * scale


@operator
def RandomNormalLike(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.randn_like(x) * attributes.get("scale", 1.0) + attributes.get("mean", 0.0)


# Shapes and places ---------------------------------------------------------------------------------------------------


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


# Sums and products ---------------------------------------------------------------------------------------------------


@operator
def CumSum(attributes: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    return x.cumsum(int(axis))


@operator
def ReduceMean(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.mean(whole(axes), keepdim=bool(attributes.get("keepdims", 1)))


@operator
def ReduceSum(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.sum(whole(axes), keepdim=bool(attributes.get("keepdims", 1)))


@operator
def Softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return x.softmax(attributes.get("axis", -1))


@operator
def MatMul(attributes: Attributes, a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    return a @ b if bias is None else a @ b + bias


@operator
def FusedMatMul(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    a, b = together(a, b)
    a = a.transpose(-1, -2) if attributes.get("transA") else a
    b = b.transpose(-1, -2) if attributes.get("transB") else b
    return (a @ b) * attributes.get("alpha", 1.0)


@operator
def LayerNormalization(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[attributes.get("axis", -1) :]
    return F.layer_norm(x, shape, weight, bias, attributes.get("epsilon", 1e-5))


@operator
def SkipLayerNormalization(
    attributes: Attributes,
    x: Tensor,
    skip: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    added: Tensor | None = None,
) -> Tensor:
    x = x + skip if added is None else x + skip + added
    return F.layer_norm(x, x.shape[-1:], weight, bias, attributes.get("epsilon", 1e-12))


@operator
def Conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    n = weight.ndim - 2
    pads = attributes.get("pads", [0] * 2 * n)
    if pads[:n] != pads[n:]:  # only in one dimension
        x, pads = F.pad(x, (pads[0], pads[1])), [0] * 2 * n
    convolve = F.conv1d if n == 1 else F.conv2d
    steps, spread = attributes.get("strides", [1] * n), attributes.get("dilations", [1] * n)
    return convolve(x, weight, bias, steps, pads[:n], spread, attributes.get("group", 1))


@operator
def ConvTranspose(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    steps, more = attributes.get("strides", [1]), attributes.get("output_padding", [0])
    spread, group = attributes.get("dilations", [1]), attributes.get("group", 1)
    return F.conv_transpose1d(x, weight, bias, steps, attributes.get("pads", [0, 0])[:1], more, group, spread)


@operator
def Resize(
    attributes: Attributes, x: Tensor, region: Any = None, scales: Tensor | None = None, sizes: Any = None
) -> Tensor:
    """The last axis stretched by the last of `scales`, to the nearest or linearly."""
    scale = float(scales.reshape(-1)[-1])  # type: ignore[union-attr]
    n = int(x.shape[-1] * scale + 1e-6)
    at = torch.arange(n, device=x.device, dtype=torch.float64)
    if attributes["mode"] == "nearest":  # in the teacher's graph by a whole number, from the left
        return x.index_select(-1, (at / scale).floor().long())
    centred = attributes.get("coordinate_transformation_mode", "half_pixel") in ("half_pixel", "pytorch_half_pixel")
    place = ((at + 0.5) / scale - 0.5 if centred else at / scale).clamp(0, x.shape[-1] - 1)
    low = place.floor().long()
    share = (place - low).float()
    high = (low + 1).clamp(max=x.shape[-1] - 1)
    return x.index_select(-1, low) * (1 - share) + x.index_select(-1, high) * share


@operator
def STFT(attributes: Attributes, x: Tensor, step: Tensor, window: Tensor, length: Tensor | None = None) -> Tensor:
    n = int(length) if length is not None else len(window)
    frames = x.reshape(x.shape[0], -1).unfold(1, n, int(step)) * window.to(x.device)
    return torch.view_as_real(torch.fft.rfft(frames, dim=-1))
