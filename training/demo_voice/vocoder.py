"""Training the small Vocos: mel to wave, with spectral losses at six resolutions and no discriminator.

Classes are those of the package `vocos`; `feature_extractor` is not used, mels are upstream's.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice import network
from training.demo_voice.artefacts import ring_loss
from training.demo_voice.optim import update_average
from training.demo_voice.records import Curve, save_state
from training.demo_voice.rows import MEL_FLOOR
from workbench.engine import upstream
from workbench.engine.catalog import VocoderConfig
from workbench.engine.model.weights import vocos_of

CONFIG = VocoderConfig(dim=192, intermediate_dim=576, num_layers=6)
_SIZES = (256, 512, 1024, 2048, 4096)
_HOP = 256
_VOICED_WINDOW = 2048  # samples: six periods of 70 Hz
_LOSSES = ("loss", "log_mel_distance", "ring", "periodicity")
_PERIODS = slice(48, 400)  # samples: 500 to 60 Hz


@dataclass(frozen=True)
class VocoderPlan:
    """Steps, rows and frames of a batch, peak learning rate, and how true mels are made more like generated ones.

    Attributes:
        mel_noise: standard deviation of noise, at most. mel_blur: share of a mean over three frames, at most.
        ring_weight: of the loss that keeps lines at the frame rate away (module `artefacts`).
        periodicity_weight: of the loss that keeps a voice from being hoarse.
        retraced: utterances that the acoustic model says again (module `retrace`), for half of the rows; may be 0.
    """

    steps: int = 6000
    rows: int = 12
    frames: int = 64
    learning_rate: float = 1e-3
    mel_noise: float = 0.05
    mel_blur: float = 0.3
    ring_weight: float = 0.7
    periodicity_weight: float = 8.0
    retraced: int = 900
    seed: int = 4


def log_mel(wave: Tensor) -> Tensor:
    """Upstream's log mel [b, 100, frames], differentiable."""
    upstream.install()
    from f5_tts.model.modules import get_vocos_mel_spectrogram

    return get_vocos_mel_spectrogram(wave)


def _magnitude(wave: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=wave.device)
    spectrum = torch.stft(wave, size, size // 4, size, window, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).add(1e-9).sqrt()


def spectral_loss(generated: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of two waves [b, n] over six spectra, and its log-mel part (mean absolute, nats)."""
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


Recording = tuple[np.ndarray, Tensor | None]  # a wave f32, and its mel [frames, 100] where it is not to be computed


def clips(known: Sequence[Recording], plan: VocoderPlan, rows: int, rng: random.Random) -> tuple[Tensor, Tensor]:
    """Random clips of recordings, each at a random level.

    Returns:
        Waves f32 [rows, frames * 256] and the log mels [rows, 100, frames + 1] that the vocoder gets for them.
    """
    n = plan.frames * _HOP
    waves, mels = [], []
    while len(waves) < rows:
        wave, mel = rng.choice(known)
        if len(wave) > n + _HOP:
            frame, level = rng.randrange((len(wave) - n) // _HOP), rng.uniform(-1.0, 0.3)
            clip = torch.from_numpy(wave[frame * _HOP : frame * _HOP + n] * np.float32(math.exp(level)))
            waves.append(clip)
            if mel is None:
                mels.append(_like_a_generated_one(log_mel(clip[None]), plan))
            else:
                mels.append((mel[frame : frame + plan.frames + 1] + level).clamp(min=MEL_FLOOR).T[None])
    return torch.stack(waves), torch.cat(mels)


def _like_a_generated_one(mel: Tensor, plan: VocoderPlan) -> Tensor:
    smooth = F.avg_pool1d(mel, 3, 1, 1, count_include_pad=False)
    mel = torch.lerp(mel, smooth, plan.mel_blur * torch.rand(len(mel), 1, 1))
    return mel + torch.randn_like(mel) * plan.mel_noise * torch.rand(len(mel), 1, 1)


def train_vocoder(
    plan: VocoderPlan,
    folder: Path,
    known: Sequence[Recording],
    retraced: Sequence[Recording] = (),
    start: dict[str, Tensor] | None = None,
) -> Any:
    """Train (or go on from the folder's checkpoint, or from `start`); saves `vocoder.pt`; returns the averaged model.

    Args:
        known: recordings. retraced: recordings with mels as the acoustic model makes them, for half of the rows.
    """
    upstream.install()
    from f5_tts.model import modules

    # upstream keeps the transform of its first call; one made in inference mode could not be trained through
    modules.vocos_mel_stft_cache.clear()
    rng, model = network.seed_everything(plan.seed), vocos_of(CONFIG)
    if start:
        model.load_state_dict(start)
    optimizer = torch.optim.AdamW(model.parameters(), plan.learning_rate, betas=(0.8, 0.99), weight_decay=0.01)
    average, first = copy.deepcopy(model), 0
    path = folder / "vocoder.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    curve = Curve(folder / "vocoder.csv", ("step", *_LOSSES, "frames_per_second"))
    found, since = [], time.perf_counter()
    for step in range(first + 1, plan.steps + 1):
        half = plan.rows // 2 if retraced else 0
        wave, mel = clips(known, plan, plan.rows - half, rng)
        if half:
            more = clips(retraced, plan, half, rng)
            wave, mel = torch.cat([wave, more[0]]), torch.cat([mel, more[1]])
        optimizer.param_groups[0]["lr"] = plan.learning_rate * rate_scale(step, plan.steps)
        found.append(_vocoder_step(plan, model, optimizer, wave, mel))
        update_average(average, model, step, 0.999)
        if step % 50 == 0:
            rate = len(found) * plan.rows * plan.frames / (time.perf_counter() - since)
            curve.add(step, *np.mean(found, axis=0).tolist(), rate)
            found, since = [], time.perf_counter()
        if step % 250 == 0 or step == plan.steps:
            state = {"model": model.state_dict(), "average": average.state_dict(), "step": step}
            save_state(path, state | {"optimizer": optimizer.state_dict()})
    return average.eval()


def rate_scale(step: int, steps: int) -> float:
    """Learning rate as a share of its peak: warm-up, then half a cosine to 2 %."""
    return min(1.0, step / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))


def _vocoder_step(
    plan: VocoderPlan, model: Any, optimizer: torch.optim.Optimizer, wave: Tensor, mel: Tensor
) -> tuple[float, ...]:
    made = model.head(model.backbone(mel))
    n = min(made.shape[1], wave.shape[1])
    loss, distance = spectral_loss(made[:, :n], wave[:, :n])
    ring, periods = ring_loss(made[:, :n], wave[:, :n]), periodicity_loss(made[:, :n], wave[:, :n])
    loss = loss + plan.ring_weight * ring + plan.periodicity_weight * periods
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return tuple(float(part.detach()) for part in (loss, distance, ring, periods))
