"""Vocos's own discriminators, which say whether a wave is speech or the vocoder's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.demo_voice.acoustic.flow import half_precision


class Judges(nn.Module):
    """Vocos's two discriminators, the second at 0.3 of the weight of the first, as there.

    Args:
        periods: samples from row to row of the pictures that the first looks at.
        windows: samples of the spectra of the second.
    """

    def __init__(self, periods: tuple[int, ...], windows: tuple[int, ...]) -> None:
        super().__init__()
        from vocos.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
        from vocos.loss import DiscriminatorLoss, FeatureMatchingLoss, GeneratorLoss

        self.periods = MultiPeriodDiscriminator(periods)
        self.resolutions = MultiResolutionDiscriminator(windows)
        self._own, self._fooled, self._features = DiscriminatorLoss(), GeneratorLoss(), FeatureMatchingLoss()

    def own_loss(self, true: Tensor, made: Tensor) -> Tensor:
        """How badly they tell waves [b, n] apart."""
        total = torch.zeros((), device=true.device)
        for judge, weight in ((self.periods, 1.0), (self.resolutions, 0.3)):
            with half_precision(true.device):
                real, fake, _, _ = judge(true, made.detach())
            total = total + weight * self._own(_float(real), _float(fake))[0].squeeze() / len(real)
        return total

    def vocoder_loss(self, true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """How well the vocoder fools them, and how far their features of both are apart."""
        judged, matched = torch.zeros((), device=true.device), torch.zeros((), device=true.device)
        for judge, weight in ((self.periods, 1.0), (self.resolutions, 0.3)):
            with half_precision(true.device):
                _, fake, of_true, of_made = judge(true, made)
            judged = judged + weight * self._fooled(_float(fake))[0].squeeze() / len(fake)
            features = self._features([_float(f) for f in of_true], [_float(f) for f in of_made])
            matched = matched + weight * features.squeeze() / len(of_true)
        return judged, matched


def _float(tensors: list[Tensor]) -> list[Tensor]:
    return [t.float() for t in tensors]
