"""Rotary positions: neighbouring values of each head turned by the angle of their frame, in fp32 as in upstream."""

from __future__ import annotations

import torch

Tables = tuple[torch.Tensor, ...]


def tables(angles: torch.Tensor) -> Tables:
    """What ``turned`` needs of ``angles``, [frames, width / 2]: complex numbers on a CPU, else cosines and sines."""
    if angles.device.type == "cpu":
        return (torch.polar(torch.ones_like(angles), angles),)
    return angles.cos(), angles.sin()


def turned(qk: torch.Tensor, of_frames: Tables, heads: int) -> torch.Tensor:
    """Queries and keys by head and turned, [2, rows, heads, frames, width], in their number format and without gaps.

    Args:
        qk: [rows, frames, 2, heads, width], gaps allowed.
        of_frames: of ``tables``.
        heads: how many of the heads are turned, from the first.
    """
    by_head = qk.permute(2, 0, 3, 1, 4)
    found = torch.empty(by_head.shape, dtype=torch.float32, device=qk.device).copy_(by_head)
    some = found[:, :, :heads].unflatten(-1, (-1, 2))
    if len(of_frames) == 1:  # one multiplication of complex numbers, 20 times faster on a CPU
        torch.view_as_complex(some).mul_(of_frames[0])
        return found.to(qk.dtype)
    cos, sin = of_frames
    a, b = some.unbind(-1)
    some = torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)
    if heads < found.shape[2]:
        some = torch.cat((some, found[:, :, heads:]), 2)
    return some.to(qk.dtype)
