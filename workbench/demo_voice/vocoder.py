"""Training the small Vocos: mel to wave, with spectral losses at six resolutions and no discriminator.

Classes are those of the package `vocos`; `feature_extractor` is not used, mels are upstream's.
"""

from __future__ import annotations

import copy
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.demo_voice import network
from workbench.demo_voice.artefacts import ring_loss
from workbench.demo_voice.optim import update_average
from workbench.demo_voice.records import Curve, save_state
from workbench.engine import compat
from workbench.engine.weights import vocos_config

CONFIG = vocos_config(dim=192, intermediate_dim=576, num_layers=6)
_SIZES = (256, 512, 1024, 2048, 4096)
_HOP = 256


@dataclass(frozen=True)
class VocoderPlan:
    """Steps, rows and frames of a batch, peak learning rate, and how true mels are made more like generated ones.

    Attributes:
        mel_noise: standard deviation of noise, at most. mel_blur: share of a mean over three frames, at most.
        ring_weight: of the loss that keeps lines at the frame rate away (module `artefacts`).
    """

    steps: int = 6000
    rows: int = 12
    frames: int = 64
    learning_rate: float = 1e-3
    mel_noise: float = 0.1
    mel_blur: float = 0.5
    ring_weight: float = 0.7
    seed: int = 4


def build_vocos(config: dict[str, Any] | None = None) -> Any:
    """A fresh Vocos of CONFIG."""
    compat.install()
    from vocos import Vocos
    from vocos.feature_extractors import MelSpectrogramFeatures
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    c = config or CONFIG
    return Vocos(
        MelSpectrogramFeatures(**c["feature_extractor"]["init_args"]),
        VocosBackbone(**c["backbone"]["init_args"]),
        ISTFTHead(**c["head"]["init_args"]),
    )


def log_mel(wave: Tensor) -> Tensor:
    """Upstream's log mel [b, 100, frames], differentiable."""
    compat.install()
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


class Clips:
    """Random clips of the corpus's audio, f32: in 16 bits the noise of rounding fills the bands that are empty."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.rng = rng
        self.waves: list[np.ndarray] = []
        for path in sorted(folder.glob("audio-*.npz")):
            with np.load(path) as shard:
                ends = np.cumsum(shard["lengths"])
                self.waves += np.split(shard["audio"], ends[:-1])

    def batch(self, rows: int, frames: int) -> Tensor:
        """Waves f32 [rows, frames * 256], with a random level."""
        n = frames * _HOP
        clips: list[Tensor] = []
        while len(clips) < rows:
            wave = self.rng.choice(self.waves)
            if len(wave) > n:
                at = self.rng.randrange(len(wave) - n)
                level = math.exp(self.rng.uniform(-1.0, 0.3))
                clips.append(torch.from_numpy(wave[at : at + n] * np.float32(level)))
        return torch.stack(clips)


def train_vocoder(plan: VocoderPlan, folder: Path, corpus: Path, start: dict[str, Tensor] | None = None) -> Any:
    """Train (or go on from `start` or the folder's checkpoint); saves `vocoder.pt`; returns the averaged model."""
    compat.install()
    from f5_tts.model import modules

    # upstream keeps the transform of its first call; one made in inference mode could not be trained through
    modules.vocos_mel_stft_cache.clear()
    rng = network.seed_everything(plan.seed)
    clips, model = Clips(corpus, rng), build_vocos()
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
    curve = Curve(folder / "vocoder.csv", ("step", "loss", "log_mel_distance", "ring", "frames_per_second"))
    found, since = [], time.perf_counter()
    for step in range(first + 1, plan.steps + 1):
        found.append(_vocoder_step(plan, model, optimizer, clips.batch(plan.rows, plan.frames), step))
        update_average(average, model, step, 0.999)
        if step % 50 == 0:
            rate = len(found) * plan.rows * plan.frames / (time.perf_counter() - since)
            curve.add(step, *np.mean(found, axis=0).tolist(), rate)
            found, since = [], time.perf_counter()
        if step % 250 == 0 or step == plan.steps:
            state = {"model": model.state_dict(), "average": average.state_dict(), "step": step}
            save_state(path, state | {"optimizer": optimizer.state_dict()})
    return average.eval()


def _vocoder_step(
    plan: VocoderPlan, model: Any, optimizer: torch.optim.Optimizer, wave: Tensor, step: int
) -> tuple[float, float, float]:
    with torch.no_grad():
        mel = log_mel(wave)
        smooth = F.avg_pool1d(mel, 3, 1, 1, count_include_pad=False)
        mel = torch.lerp(mel, smooth, plan.mel_blur * torch.rand(len(mel), 1, 1))
        mel = mel + torch.randn_like(mel) * plan.mel_noise * torch.rand(len(mel), 1, 1)
    made = model.head(model.backbone(mel))
    n = min(made.shape[1], wave.shape[1])
    loss, distance = spectral_loss(made[:, :n], wave[:, :n])
    ring = ring_loss(made[:, :n], wave[:, :n])
    loss = loss + plan.ring_weight * ring
    done = step / plan.steps
    optimizer.param_groups[0]["lr"] = (
        plan.learning_rate * min(1.0, step / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
    )
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach()), float(distance.detach()), float(ring.detach())
