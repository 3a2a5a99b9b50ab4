"""What a vocoder adds that no speech has: a metallic ring, and clicks.

The ring is lines at the frame rate. A network without a source of chance answers equal frames with equal waves. What
repeats 93.75 times a second is heard as a buzz of that pitch, and shows as lines at its multiples where noise has none.
Spectra of 2,048 samples and fewer hardly tell such lines from noise; trained with those alone, the vocoder had them
6.7 dB above the noise in copy synthesis, and 9.5 dB in generated speech, whose mels are smoother. Odd multiples of half
the rate are measured too, because every second frame could be made to differ instead.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from training.demo_voice.teacher.speaking import HOP, SAMPLE_RATE_HZ

WINDOW = 4096
_LINE = WINDOW // HOP  # bins from one multiple of the frame rate to the next
_BANDS_HZ = ((1000, 4000), (4000, 8000), (8000, 10900))  # espeak-ng's speech ends at 11 kHz
_CLICK = 10.0  # third differences of speech stay below this, in root mean squares of those around them, nearly always
_NEAR = (-4, -3, 3, 4)  # bins beside a line, outside of the window's main lobe


def _lines(band: tuple[int, int]) -> Tensor:
    """Bins at multiples of the frame rate inside of a band."""
    first, end = (math.ceil(hz * WINDOW / SAMPLE_RATE_HZ / _LINE) * _LINE for hz in band)
    return torch.arange(first, end, _LINE)


def long_spectrum(wave: Tensor) -> Tensor:
    """Power [b, bins] of waves [b, n], each window's share of its own sum, averaged over the windows."""
    window = torch.hann_window(WINDOW, device=wave.device)
    spectrum = torch.stft(wave, WINDOW, WINDOW // 8, WINDOW, window, center=False, return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    return (power / (power.sum(1, keepdim=True) + 1e-6)).mean(-1) + 1e-9


def line_heights(power: Tensor) -> Tensor:
    """How far lines stand out of what is beside them, nats [b, 6]: multiples and odd half multiples, band by band."""
    found = []
    for at in (bins + shift for bins in map(_lines, _BANDS_HZ) for shift in (0, _LINE // 2)):
        near = sum(power[:, at + k] for k in _NEAR) / len(_NEAR)
        found.append((power[:, at].log() - near.log()).mean(1))
    return torch.stack(found, 1)


def ring_loss(generated: Tensor, true: Tensor) -> Tensor:
    """Mean distance of the line heights of two waves [b, n] of `WINDOW` samples or more, in nats."""
    return (line_heights(long_spectrum(generated)) - line_heights(long_spectrum(true))).abs().mean()


def ring_decibels(waves: list[np.ndarray]) -> float:
    """Height of the lines at multiples of the frame rate in the mean spectrum of `waves`, in the worst of three bands.

    Speech has about none (0 dB). Waves shorter than `WINDOW` tell nothing; NaN if all are.
    """
    spectra = [long_spectrum(torch.from_numpy(wave)[None]) for wave in waves if len(wave) >= WINDOW]
    if not spectra:
        return float("nan")
    heights = line_heights(torch.cat(spectra).mean(0, keepdim=True))[0, ::2]
    return float(heights.max()) * 10 / math.log(10)


def clicks(wave: np.ndarray) -> int:
    """How often `wave` (24 kHz) jumps: third differences far above those in the 20 ms around, 5 ms and more apart."""
    from scipy.ndimage import uniform_filter1d

    jumps = np.abs(np.diff(wave.astype(np.float64), 3))
    usual = np.sqrt(np.maximum(uniform_filter1d(jumps**2, SAMPLE_RATE_HZ // 50, mode="nearest"), 0)) + 1e-4
    found = np.flatnonzero(jumps > _CLICK * usual)
    return int(len(found) > 0) + int((np.diff(found) > SAMPLE_RATE_HZ // 200).sum())
