"""Matrix products with fixed weights, in the fastest form for the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import torch
import torch.nn.functional as F

_ROWS = 1600  # for which oneDNN orders the weights: both rows of a chunk of 17 s; any other number runs too


class Product(Protocol):
    """``x @ weight.T + bias``."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...

    def gelu(self, x: torch.Tensor, approximate: str) -> torch.Tensor:
        """Return ``F.gelu`` of the product."""


class Plain:
    """The product with PyTorch's own operator."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight, self.bias)

    def gelu(self, x: torch.Tensor, approximate: str) -> torch.Tensor:
        """See ``Product``."""
        return F.gelu(F.linear(x, self.weight, self.bias), approximate=approximate)


class Packed:
    """The product with oneDNN, with the weights in its own order and GELU inside the product.

    Measured with one thread of an AMD processor with avx512_bf16, 1600 rows, 1024 to 1024: 240 GFLOP/s in fp32 and 480
    in bf16; PyTorch's operator, which uses MKL for fp32, reaches 107 and 440.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS)
        self._bias = None if bias is None else bias.contiguous()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return found

    def gelu(self, x: torch.Tensor, approximate: str) -> torch.Tensor:
        """See ``Product``."""
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "gelu", [], approximate)
        return found


@lru_cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether the oneDNN operators used here multiply ``dtype`` on this CPU.

    They are not public operators of PyTorch: another release, or a build for another processor, may lack them.
    """
    try:
        x = torch.eye(8, dtype=dtype)
        packed, plain = (kind(2 * x, x[0]).gelu(x, "tanh").float() for kind in (Packed, Plain))
        return torch.allclose(packed, plain, atol=1e-2)
    except (RuntimeError, AttributeError):
        return False


def kinds(weight: torch.Tensor) -> tuple[Callable[[torch.Tensor, torch.Tensor | None], Product], ...]:
    """Return the kinds of product for the device and format of ``weight``, the fastest first."""
    return (Packed, Plain) if weight.device.type == "cpu" and has_onednn(weight.dtype) else (Plain,)


def product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    """Return the fastest product with ``weight`` [out, in] and ``bias`` [out] for their device."""
    return kinds(weight)[0](weight.detach().contiguous(), None if bias is None else bias.detach())
