"""The truth in the rhythm of a guess.

At a state of the model's own the rhythm is decided already, and it is not that of the recording. Asked for the
recording's frames all the same, the model can only blur its sounds over both; so the recording is first moved onto the
guess.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

REACH = 6  # frames, about a phone
COST = 2.0  # of one frame left out or doubled, in squared nats: a phone is not to be explained away


def matching_frames(guess: Tensor, mel: Tensor, masked: Tensor) -> Tensor:
    """Frame of `mel` that each frame of `guess` is to be.

    A path of least squared distance, a frame at a time: at most `REACH` frames from where it was and never backwards.

    Args:
        guess, mel: natural-log mels f32 [b, n, bands]. masked: bool [b, n], the frames that may be moved.

    Returns:
        i64 [b, n]; frames outside of `masked` stay.
    """
    n_rows, n = masked.shape
    here = torch.arange(n, device=mel.device)
    first = masked.int().argmax(1, keepdim=True)
    last = n - 1 - masked.flip(1).int().argmax(1, keepdim=True)
    shifts = range(-REACH, REACH + 1)
    targets = torch.stack([(here + s).clamp(first, last) for s in shifts], -1)
    rows = torch.arange(n_rows, device=mel.device)[:, None]
    apart = torch.stack([(guess - mel[rows, targets[..., k]]).square().mean(-1) for k in range(len(shifts))], -1)
    chosen = _cheapest(apart.cpu().numpy())
    moved = targets.gather(-1, torch.from_numpy(chosen)[..., None].to(mel.device)).squeeze(-1)
    return torch.where(masked, moved, here)


def _cheapest(apart: np.ndarray) -> np.ndarray:
    """Shift [b, n] of the cheapest path through costs [b, n, shifts], which changes by at most one a frame."""
    n_rows, n, n_shifts = apart.shape
    total, rows = apart[:, 0].astype(np.float64), np.arange(n_rows)
    came_from = np.zeros((n, n_rows, n_shifts), np.int64)
    edge = np.full((n_rows, 1), np.inf)
    for i in range(1, n):
        ways = np.stack([np.hstack([edge, total[:, :-1] + COST]), total, np.hstack([total[:, 1:] + COST, edge])])
        best = ways.argmin(0)
        came_from[i] = np.arange(n_shifts) + best - 1
        total = np.take_along_axis(ways, best[None], 0)[0] + apart[:, i]
    chosen = np.zeros((n_rows, n), np.int64)
    chosen[:, -1] = total.argmin(1)
    for i in range(n - 1, 0, -1):
        chosen[:, i - 1] = came_from[i, rows, chosen[:, i]]
    return chosen
