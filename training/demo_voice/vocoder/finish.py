"""Two corrections of a trained vocoder, folded into its weights: it becomes no slower, and its classes stay Vocos's.

A generated mel is a little like a mean of mels: its harmonics stand out less than the teacher's do, by a factor of 1.2
to 1.5 between 0.4 and 2.2 kHz. Their height over the bands around is a linear map of the mel, and so is the vocoder's
first layer. And the teacher writes its waves in steps of five samples, which leaves lines at a fifth of the sample rate
and at twice that, 12 and 10 dB above what is beside them; the vocoder had learnt them, and made them 20 and 13 dB.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.demo_voice.teacher.speaking import SAMPLE_RATE_HZ

_SHARP_BANDS, _RAMP = 60, 12  # up to 3.2 kHz; above, a mel band is wider than a voice's harmonics are apart
_AROUND = 11  # bands
_LINES_HZ = (4800, 9600)
_HALF_WIDTH = 2.0  # bins


def sharpening(n_mels: int, gain: float) -> Tensor:
    """Matrix [n_mels, n_mels] that raises what stands out of the mean of the bands around by `gain`, in low bands."""
    bands = torch.arange(n_mels)
    around = (bands[:, None] + torch.arange(_AROUND) - _AROUND // 2).clamp(0, n_mels - 1)
    smooth = torch.zeros(n_mels, n_mels).scatter_add_(1, around, torch.full(around.shape, 1 / _AROUND))
    share = ((_SHARP_BANDS - bands) / _RAMP + 0.5).clamp(0, 1)
    return smooth + (1 + (gain - 1) * share)[:, None] * (torch.eye(n_mels) - smooth)


def without_lines(rows: Tensor, bin_hz: float) -> Tensor:
    """Rows of bins [n, ...] in which those at the teacher's lines lie between their neighbours."""
    rows = rows.clone()
    for hz in _LINES_HZ:
        low, high = math.floor(hz / bin_hz - _HALF_WIDTH), math.ceil(hz / bin_hz + _HALF_WIDTH)
        for k in range(low + 1, high):
            rows[k] = torch.lerp(rows[low], rows[high], (k - low) / (high - low))
    return rows


def finished(state: dict[str, Tensor], gain: float) -> dict[str, Tensor]:
    """Weights of a Vocos without the teacher's lines, and for mels whose harmonics are too low by `gain`."""
    first, last = state["backbone.embed.weight"], state["head.out.weight"]
    n_bins = len(last) // 2  # logarithms of magnitudes, then phases
    bin_hz = SAMPLE_RATE_HZ / (2 * (n_bins - 1))
    found = dict(state)
    found["backbone.embed.weight"] = torch.einsum("oik,ij->ojk", first.float(), sharpening(first.shape[1], gain))
    for name in ("head.out.weight", "head.out.bias"):
        part = state[name].float()
        found[name] = torch.cat([without_lines(part[:n_bins], bin_hz), part[n_bins:]])
    return found
