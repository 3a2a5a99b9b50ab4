"""Muon for the matrices, AdamW for the rest, and a moving average of the weights.

Muon (Keller Jordan, 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum of a matrix by the nearest
orthogonal one. `torch.optim.Muon` does it one matrix at a time; here equal shapes go through one batched product, in
the precision that is the faster one on this machine.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.model.devices import cpu_prefers_bf16

_NS = (3.4445, -4.7750, 2.0315)


def half_is_faster(device: torch.device) -> bool:
    """Whether to compute in bf16 on `device`."""
    return device.type == "cuda" or (device.type == "cpu" and cpu_prefers_bf16())


def orthogonalize(x: Tensor, steps: int = 4) -> Tensor:
    """Newton-Schulz iteration: [k, m, n] to matrices with singular values near 1."""
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    if half_is_faster(x.device):
        x = x.bfloat16()
    a, b, c = _NS
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum, its updates as large as AdamW's, so that learning rates compare."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of all matrices."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for p in (q for q in group["params"] if q.grad is not None):
                by_shape.setdefault(p.shape, []).append(p)
            for shape, params in by_shape.items():
                self._step_shape(shape, params, group)

    def _step_shape(self, shape: torch.Size, params: list[Tensor], group: dict) -> None:
        momenta = []
        for p in params:
            buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
            buffer.lerp_(p.grad, 1 - group["momentum"])
            momenta.append(p.grad.lerp(buffer, group["momentum"]))
        updates = orthogonalize(torch.stack(momenta)) * (0.2 * max(shape) ** 0.5)
        for p, update in zip(params, updates, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])


def make_optimizers(model: nn.Module, text_share: float = 1.0) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer blocks, AdamW for all else.

    Each group has a `share` of the learning rate that the schedule sets; that of the text layers is `text_share`.
    """
    matrices, text, rest = [], [], []
    for name, p in model.named_parameters():
        is_matrix = p.ndim == 2 and "transformer_blocks" in name and "attn_norm" not in name
        (matrices if is_matrix else text if "text_embed" in name else rest).append(p)
    groups = [{"params": rest, "share": 1.0}, {"params": text, "share": text_share}]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], 1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    return [Muon(matrices, 1e-3), adam]


def set_rates(optimizers: list[torch.optim.Optimizer], rates: tuple[float, ...]) -> None:
    """Set the learning rate of each optimizer; a group takes its share of it."""
    for optimizer, rate in zip(optimizers, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("share", 1.0)


def update_average(average: nn.Module, model: nn.Module, step: int, decay: float = 0.998) -> None:
    """Exponential moving average of the weights, faster at the beginning."""
    with torch.no_grad():
        weight = 1 - min(decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), weight)
