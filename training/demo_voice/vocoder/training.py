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
from torch import Tensor, nn

from training.demo_voice.acoustic.optim import update_average
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.records import Curve, save_state
from training.demo_voice.vocoder.artefacts import ring_loss
from training.demo_voice.vocoder.clips import Clips, roughened
from training.demo_voice.vocoder.judges import Judges
from training.demo_voice.vocoder.losses import periodicity_loss, spectral_loss
from training.demo_voice.vocoder.network import CONFIG, build_vocos
from training.demo_voice.vocoder.retrace import retrace
from workbench.engine.catalog import VocoderConfig

_SHOWN = ("mel", "ring", "periods", "total", "judged", "matched", "discriminators")
COLUMNS = ("step", "seconds", *_SHOWN, "seconds_left")


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
        torch.manual_seed(self.plan.seed)
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
