"""What the vocoder hears in training: stretches of the teacher's speech, and of what the acoustic model makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.demo_voice.acoustic.flow import MEL_FLOOR
from training.demo_voice.teacher.speaking import HOP

_LEVEL = (-0.7, 0.5)  # nats, drawn for each clip


@dataclass(frozen=True, eq=False)
class Clips:
    """Stretches of speech: mels [F, 100], waves [F * 256], and (first mel frame, first wave frame, frames) of each."""

    mel: Tensor
    wave: Tensor
    table: np.ndarray

    def draw(self, rows: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Waves [rows, frames * 256] and their mels [rows, 100, frames + 1], each at a level of its own."""
        long = self.table[self.table[:, 2] > frames + 1]
        pick = long[rng.integers(0, len(long), rows)]
        at, device = (rng.random(rows) * (pick[:, 2] - frames - 1)).astype(np.int64), self.mel.device
        here = torch.from_numpy(pick[:, 0] + at).to(device)[:, None] + torch.arange(frames + 1, device=device)
        there = torch.from_numpy((pick[:, 1] + at) * HOP).to(device)[:, None] + torch.arange(
            frames * HOP, device=device
        )
        level = torch.from_numpy(rng.uniform(*_LEVEL, rows).astype(np.float32)).to(device)
        mel = (self.mel[here].float() + level[:, None, None]).clamp(min=MEL_FLOOR)
        return self.wave[there].float() * level.exp()[:, None], mel.transpose(1, 2)


def roughened(mel: Tensor) -> Tensor:
    """True mels [b, 100, n] a little blurred and noisy, as generated ones are."""
    smooth = F.avg_pool1d(mel, 3, 1, 1, count_include_pad=False)
    share, loud = (torch.rand(len(mel), 1, 1, device=mel.device) for _ in range(2))
    return torch.lerp(mel, smooth, 0.3 * share) + torch.randn_like(mel) * 0.05 * loud
