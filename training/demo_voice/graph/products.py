"""Operators of sums and products over axes: matrices, convolutions, norms, spectra."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.demo_voice.graph.operators import Attributes, operator, together, whole


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
