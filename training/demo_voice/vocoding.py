"""Training the vocoder: spectral losses, then Vocos's discriminators as well; half of it on mels of the model's."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice import network
from training.demo_voice.artefacts import ring_loss
from training.demo_voice.corpus import Corpus
from training.demo_voice.flow import MEL_FLOOR, half_precision
from training.demo_voice.optim import update_average
from training.demo_voice.records import Curve, save_state
from training.demo_voice.retrace import retrace
from training.demo_voice.speaking import HOP
from training.demo_voice.vocoder import CONFIG, build_vocos, periodicity_loss, spectral_loss
from workbench.engine.catalog import VocoderConfig

_SHOWN = ("mel", "ring", "periods", "total", "judged", "matched", "discriminators")
COLUMNS = ("step", "seconds", *_SHOWN, "seconds_left")
_LEVEL = (-0.7, 0.5)  # nats, drawn for each clip


@dataclass(frozen=True)
class VocoderPlan:
    """The schedule. The defaults are those of the tenth voice on one H100; on two cores: `rows` 8.

    Attributes:
        rows, frames: clips of a step and their length. spectral: share of the steps before the discriminators join.
        retraced: batches that the acoustic model says again, for half of the clips; 0 does without.
        periods, windows: of the discriminators (`Judges`).
    """

    steps: int = 4247
    rows: int = 32
    frames: int = 64
    spectral: float = 0.53
    retraced: int = 50
    retraced_frames: int = 45_056
    learning_rate: float = 1e-3
    adversarial_rate: float = 5e-4
    average: float = 0.999
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    windows: tuple[int, ...] = (2048, 1024, 512)
    seed: int = 4


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


@dataclass
class VocoderTraining:
    """Everything a training holds; `run` goes on from the last checkpoint of its folder."""

    plan: VocoderPlan
    folder: Path
    known: Clips
    made: Clips | None = None
    start: dict[str, Tensor] | None = None
    config: VocoderConfig = CONFIG
    step: int = 0
    seconds: float = 0.0
    model: Any = field(init=False)
    average: Any = field(init=False)
    judges: Judges = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    its_optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        network.seed_everything(self.plan.seed)
        device = self.known.mel.device
        self.model, self.judges = (
            build_vocos(self.config).to(device),
            Judges(self.plan.periods, self.plan.windows).to(device),
        )
        if self.start:
            self.model.load_state_dict(self.start)
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), betas=(0.8, 0.95), weight_decay=0.01)
        self.its_optimizer = torch.optim.AdamW(self.judges.parameters(), 3e-4, betas=(0.8, 0.9))

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "vocoder.pt"

    def _parts(self) -> dict[str, Any]:
        names = ("model", "average", "judges", "optimizer", "its_optimizer")
        return {name: getattr(self, name) for name in names}

    def resume(self) -> bool:
        """Continue from the checkpoint when it is there."""
        if not self.path.exists():
            return False
        state = torch.load(self.path, map_location=self.known.mel.device, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def save(self) -> None:
        """Write the checkpoint."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        more = {"step": self.step, "seconds": self.seconds, "plan": asdict(self.plan), "config": self.config.as_dict()}
        save_state(self.path, state | more)

    @property
    def adversarial_step(self) -> int:
        """Steps with discriminators so far; 0 while the losses are spectral alone."""
        return max(0, self.step - int(self.plan.spectral * self.plan.steps))

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Waves and mels of a step."""
        plan, half = self.plan, self.plan.rows // 2 if self.made else 0
        wave, mel = self.known.draw(plan.rows - half, plan.frames, rng)
        mel = roughened(mel)
        if self.made and half:
            more = self.made.draw(half, plan.frames, rng)
            wave, mel = torch.cat([wave, more[0]]), torch.cat([mel, more[1]])
        return wave, mel

    def one_step(self, wave: Tensor, mel: Tensor) -> dict[str, float]:
        """One update of the vocoder, and of the discriminators once they have joined; returns the losses."""
        made = self.model.head(self.model.backbone(mel))
        n = min(made.shape[1], wave.shape[1])
        made, wave, found = made[:, :n], wave[:, :n], {}
        joined = self.adversarial_step
        if joined:
            found["discriminators"] = self.judges.own_loss(wave, made)
            self._update(self.its_optimizer, self.judges, found["discriminators"], 50.0)
        loss, found["mel"] = spectral_loss(made, wave)
        found["ring"], found["periods"] = ring_loss(made, wave), periodicity_loss(made, wave)
        if joined:
            found["judged"], found["matched"] = self.judges.vocoder_loss(wave, made)
            spectral = 20 * found["mel"] + 0.5 * loss + 0.3 * found["ring"] + 4 * found["periods"]
            total = spectral + min(1.0, joined / 300) * (found["judged"] + found["matched"])
        else:
            total = loss + 0.7 * found["ring"] + 8 * found["periods"]
        self._update(self.optimizer, self.model, total, 10.0 if joined else 1.0)
        update_average(self.average, self.model, self.step, self.plan.average)
        return {k: float(v.detach()) for k, v in (found | {"total": total}).items()}

    def _update(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor, most: float) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), most)
        optimizer.step()

    def set_rates(self) -> None:
        """Warm-up and plateau; with the discriminators half a cosine to 2 %."""
        plan, joined = self.plan, self.adversarial_step
        done = joined / max(1, plan.steps - int(plan.spectral * plan.steps))
        scale = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, done)))
        rate = plan.adversarial_rate * scale if joined else plan.learning_rate
        self.optimizer.param_groups[0]["lr"] = rate * min(1.0, self.step / 100)
        self.its_optimizer.param_groups[0]["lr"] = 3e-4 * scale

    def run(self, report_every: int = 50, save_seconds: float = 100.0) -> None:
        """Train to the end of the plan, one line a report."""
        rng, curve, sums = (
            np.random.default_rng([self.plan.seed, self.step]),
            Curve(self.folder / "vocoder.csv", COLUMNS),
            {},
        )
        torch.manual_seed(self.plan.seed * 15485863 + self.step)
        first, since = self.step, time.monotonic()
        saved = since
        while self.step < self.plan.steps:
            self.step += 1
            self.set_rates()
            for name, value in self.one_step(*self.draw(rng)).items():
                sums.setdefault(name, []).append(value)
            if self.step % report_every == 0 or self.step == self.plan.steps:
                spent = time.monotonic() - since
                self.seconds += spent
                means = [float(np.mean(sums[k])) if k in sums else 0.0 for k in _SHOWN]
                curve.add(
                    self.step, self.seconds, *means, (self.plan.steps - self.step) * spent / max(1, self.step - first)
                )
                sums, first, since = {}, self.step, time.monotonic()
            if time.monotonic() - saved > save_seconds or self.step == self.plan.steps:
                self.save()
                saved = time.monotonic()


def clips_of(corpus: Corpus, transformer: Any, plan: VocoderPlan, device: torch.device) -> tuple[Clips, Clips | None]:
    """The teacher's speech, and what the acoustic model makes of some of it (None without a model)."""
    mel, wave = torch.from_numpy(corpus.mel).to(device), torch.from_numpy(corpus.wave).to(device)
    known = Clips(mel, wave, np.stack([corpus.first, corpus.first, corpus.frames], 1))
    if transformer is None or not plan.retraced:
        return known, None
    made, table = retrace(transformer.to(device), corpus, mel, plan.retraced, plan.retraced_frames, plan.seed)
    return known, Clips(made, wave, table)


def train(
    plan: VocoderPlan, work: Path, transformer: Any, start: dict[str, Tensor] | None, device: torch.device
) -> None:
    """Train in `work/vocoder`, from its checkpoint, else from the weights in `start`, else from nothing.

    Args:
        transformer: the acoustic model whose mels it learns to read, or None.
    """
    from f5_tts.model import modules

    # upstream keeps the transform of its first call; one made in inference mode could not be trained through
    modules.vocos_mel_stft_cache.clear()
    known, made = clips_of(Corpus.load(work, wave=True), transformer, plan, device)
    training = VocoderTraining(plan, work / "vocoder", known, made, start)
    training.resume()
    training.run()
