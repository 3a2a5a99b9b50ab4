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


# One number at a time (modules `places` and `products` have the others) -----------------------------------------------

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
