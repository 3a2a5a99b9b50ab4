"""Distances of waves that the vocoder is trained with: spectra at five resolutions, mel, periods."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine import upstream

_SIZES = (256, 512, 1024, 2048, 4096)
_VOICED_WINDOW = 2048  # samples: six periods of 70 Hz
_PERIODS = slice(48, 400)  # samples: 500 to 60 Hz


def log_mel(wave: Tensor) -> Tensor:
    """Upstream's log mel [b, 100, frames], differentiable."""
    upstream.install()
    from f5_tts.model.modules import get_vocos_mel_spectrogram, vocos_mel_stft_cache

    # upstream keeps its transform; one that was first used in inference mode cannot be trained through
    if any(buffer.is_inference() for kept in vocos_mel_stft_cache.values() for buffer in kept.buffers()):
        vocos_mel_stft_cache.clear()
    return get_vocos_mel_spectrogram(wave)


def _magnitude(wave: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=wave.device)
    spectrum = torch.stft(wave, size, size // 4, size, window, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).add(1e-9).sqrt()


def spectral_loss(generated: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of two waves [b, n] over five spectra, and its log-mel part (mean absolute, nats)."""
    total = torch.zeros((), device=true.device)
    for size in _SIZES:
        y, x = _magnitude(generated, size), _magnitude(true, size)
        shape = (y.clamp(min=1e-4).log() - x.clamp(min=1e-4).log()).abs().mean()
        total = total + 0.5 * shape + 0.5 * torch.norm(y - x) / torch.norm(x) + 0.2 * (y - x).abs().mean() / x.mean()
    mel = (log_mel(generated) - log_mel(true)).abs().mean()
    return total / len(_SIZES) + 2 * mel, mel


def _autocorrelation(power: Tensor) -> Tensor:
    """Autocorrelation [b, lags, frames] at the periods of voices, of power spectra [b, bins, frames]; 1 at lag zero."""
    lags = torch.fft.irfft(power, dim=1)
    return lags[:, _PERIODS] / (lags[:, :1] + 1e-9)


def periodicity_loss(generated: Tensor, true: Tensor) -> Tensor:
    """Mean distance of the autocorrelations of two waves [b, n] at the periods of voices, in frames that are not quiet.

    A voice is hoarse where one period is unlike the next. In the logarithm of spectra, which most of the loss is made
    of, that counts as much at 10 kHz as at the pitch, where it is heard.
    """
    made, wanted = (_magnitude(wave, _VOICED_WINDOW).square() for wave in (generated, true))
    loud = wanted.sum(1)
    loud = (loud > 0.01 * loud.amax(1, keepdim=True)).float()
    made, wanted = _autocorrelation(made), _autocorrelation(wanted)
    weight = (0.1 + wanted.clamp(min=0)) * loud[:, None]  # most where the true wave does come again
    return ((made - wanted).abs() * weight).sum() / weight.sum().clamp(min=1e-6)
