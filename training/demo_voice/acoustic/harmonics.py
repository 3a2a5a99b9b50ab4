"""Harmonics that are decided: an adversary that looks at nothing else.

Where the pitch of new words is not known, the mel of least squared distance is the mean over all pitches, and that has
no harmonics: low voices come out hoarse. Whether there are harmonics as speech has them is for an adversary to say. It
compares the fine structure of the guess with that of the recording under one and the same envelope, the guess's, so
that nothing but the fine structure can tell them apart (least squares: Mao et al., ICCV 2017). The ninth voice was
trained with it; the tenth was not, and has fewer voiced frames: `acoustic --harmonics 0.1` brings it back.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BANDS = 48  # up to 2.2 kHz; above, a mel band is wider than a voice's harmonics are apart
_SMOOTH = 11  # bands, 230 Hz at the bottom
FROM_TIME = 0.15  # earlier a guess cannot but be a mean


def parts(mel: Tensor) -> tuple[Tensor, Tensor]:
    """Fine structure [b, n, BANDS] and envelope [b, n, bands] of log mels; the map is linear."""
    low = mel[..., :BANDS]
    smooth = F.avg_pool1d(low, _SMOOTH, 1, _SMOOTH // 2, count_include_pad=False)
    return low - smooth, torch.cat([smooth, mel[..., BANDS:]], -1)


class Adversary(nn.Module):
    """Says how much fine structure under an envelope is that of speech: 1 for a recording's, 0 for a guess's."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = ((2, width, 1), (width, 2 * width, 1), (2 * width, 2 * width, 2), (2 * width, 2 * width, 4))
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=(1, 2), dilation=(d, 1), padding=(d, 1)) for a, b, d in sizes
        )
        self.out = nn.Conv2d(2 * width, 1, (1, 3))

    def forward(self, fine: Tensor, envelope: Tensor) -> Tensor:
        """Marks [b, n] of fine structure under an envelope, both [b, n, BANDS]."""
        x = torch.stack([fine, (envelope + 4) / 4], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.out(x).mean((1, 3))


def _mean(marks: Tensor, keep: Tensor) -> Tensor:
    return (marks * keep).sum() / keep.sum().clamp(min=1)


def adversarial_losses(adversary: Adversary, guess: Tensor, mel: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of the model, with gradients to the fine structure of `guess` only, and loss of the adversary.

    Args:
        guess, mel: log mels f32 [b, n, 100], the second in the rhythm of the first.
        keep: [b, n], weight of each frame.
    """
    fine, envelope = parts(guess)
    under = envelope[..., :BANDS].detach()
    true, made = adversary(parts(mel)[0], under), adversary(fine.detach(), under)
    own = _mean((1 - true).square() + made.square(), keep)
    adversary.requires_grad_(False)
    fooled = _mean((1 - adversary(fine, under)).square(), keep)
    adversary.requires_grad_(True)
    return fooled, own
