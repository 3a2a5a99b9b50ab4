"""Training the acoustic model: the schedule, the steps, the checkpoints (module `flow` has the losses)."""

from __future__ import annotations

import copy
import logging
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.demo_voice.acoustic import network
from training.demo_voice.acoustic.flow import MEL_FLOOR, Learner, losses
from training.demo_voice.acoustic.harmonics import Adversary
from training.demo_voice.acoustic.optim import make_optimizers, set_rates, update_average
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.corpus.rows import Composer, batch
from training.demo_voice.errors import CorpusError
from training.demo_voice.records import Curve, save_state

log = logging.getLogger("training.demo_voice")
_SHOWN = ("flow", "flow_near_0", "phone", "accuracy", "harmonics", "adversary")
COLUMNS = ("step", "seconds", "million_frames", "rate", *_SHOWN, "frames_per_second", "seconds_left")


@dataclass(frozen=True)
class AcousticPlan:
    """The schedule, in steps only: a training that is stopped and continued loses nothing.

    The defaults are those of the tenth voice on one H100. On two cores: `frames` 4,480.

    Attributes:
        frames: of one step. lengths: of the rows, and the share of the frames that each has.
        flat: share of the steps before the learning rate falls; it warms up over `warmup` steps.
        text_share: of the AdamW rate, for the text layers, which can read already when training begins with a voice.
        low_share, phone_weight: rows near t = 0 and weight of the phone loss, at the start and at the end.
        harmonics_weight: of the adversary (module `harmonics`); 0 does without.
        workers: processes that put rows together; 0 does it between the steps.
    """

    steps: int = 7448
    frames: int = 49_152
    lengths: tuple[tuple[int, float], ...] = ((320, 0.12), (512, 0.28), (768, 0.32), (1120, 0.18), (1664, 0.10))
    muon_lr: float = 3e-3
    adam_lr: float = 8e-4
    text_share: float = 0.4
    warmup: int = 150
    flat: float = 0.35
    low_share: tuple[float, float] = (0.5, 0.25)
    phone_weight: tuple[float, float] = (1.0, 0.3)
    harmonics_weight: float = 0.0
    average: float = 0.9985
    read_block: int = 5
    workers: int = 0
    seed: int = 1


def rate_scale(plan: AcousticPlan, step: int) -> float:
    """Learning rate as a share of its peak: warm-up, plateau, half a cosine to almost nothing."""
    done = min(1.0, step / plan.steps)
    fall = 1.0 if done < plan.flat else 0.5 * (1 + math.cos(math.pi * (done - plan.flat) / (1 - plan.flat)))
    return min(1.0, step / plan.warmup) * max(0.004, fall)


class Rows(IterableDataset):
    """Endless batches of rows, each of one length; every worker draws others.

    Raises:
        CorpusError: no length of the plan can be filled. Those that cannot are left out, which is logged.
    """

    def __init__(self, composer: Composer, plan: AcousticPlan, first: int) -> None:
        self.composer, self.plan, self.first = composer, plan, first
        self.lengths = [pair for pair in plan.lengths if composer.fits(pair[0])]
        left_out = [n for n, _ in plan.lengths if n not in dict(self.lengths)]
        if not self.lengths:
            raise CorpusError("The corpus is too small for rows.", remedy="Have the teacher speak more shards.")
        if left_out:
            log.info("the corpus is too small for rows of %s frames", ", ".join(map(str, left_out)))

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        info = get_worker_info()
        rng = random.Random(f"{self.plan.seed} {self.first} {info.id if info else 0}")
        lengths, shares = zip(*self.lengths, strict=True)
        while True:
            n = rng.choices(lengths, shares)[0]
            yield batch(self.composer, max(1, self.plan.frames // n), n, rng)


def begin(arch: dict[str, Any], folder: Path | None) -> Any:
    """A fresh `CFM` of `arch`, or one with the weights of the voice in `folder`, grown to its depth."""
    cfm = network.build_cfm(arch)
    if folder is None:
        network.open_gates(cfm.transformer)
    else:
        known = network.load_cfm(folder).transformer.state_dict()
        cfm.transformer.load_state_dict(network.grown(known, arch["depth"]))
    return cfm


@dataclass
class Training:
    """Everything a training holds; `run` goes on from the last checkpoint of its folder."""

    plan: AcousticPlan
    folder: Path
    corpus: Corpus
    cfm: Any
    device: torch.device = torch.device("cpu")
    compiled: bool = False
    step: int = 0
    seconds: float = 0.0
    learner: Learner = field(init=False)
    average: nn.Module = field(init=False)
    optimizers: list[torch.optim.Optimizer] = field(init=False)
    adversary: Adversary = field(init=False)
    its_optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.plan.seed)
        self.learner = Learner(self.cfm.transformer, self.plan.read_block).to(self.device)
        self.average = copy.deepcopy(self.learner.transformer).eval()
        self.optimizers = make_optimizers(self.learner, self.plan.text_share)
        self.adversary = Adversary().to(self.device)
        self.its_optimizer = torch.optim.AdamW(self.adversary.parameters(), 3e-4, betas=(0.5, 0.9))
        self.mel = torch.from_numpy(self.corpus.mel).to(self.device)
        self.phone = torch.from_numpy(self.corpus.phone).to(self.device)

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "acoustic.pt"

    def _parts(self) -> dict[str, Any]:
        parts = {"learner": self.learner, "average": self.average, "adversary": self.adversary}
        named = zip(("muon", "adam", "its_optimizer"), [*self.optimizers, self.its_optimizer], strict=True)
        return parts | dict(named)

    def resume(self) -> bool:
        """Continue from the checkpoint when it is there."""
        if not self.path.exists():
            return False
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def save(self) -> None:
        """Write the checkpoint."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        more = {"step": self.step, "seconds": self.seconds, "plan": asdict(self.plan), "arch": self.arch}
        save_state(self.path, state | more)

    @property
    def arch(self) -> dict[str, Any]:
        """What `DiT` was built of."""
        t = self.cfm.transformer
        text = t.text_embed
        sizes = {"dim": t.dim, "depth": t.depth, "heads": t.transformer_blocks[0].attn.heads}
        return network.ARCH | sizes | {"text_dim": text.text_embed.embedding_dim, "conv_layers": len(text.text_blocks)}

    def _between(self, ends: tuple[float, float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * min(1.0, self.step / self.plan.steps)

    def one_step(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """One update on a batch of rows; returns the losses."""
        plan, b = self.plan, {k: v.to(self.device, non_blocking=True) for k, v in rows.items()}
        mel, phones = self.mel[b["index"]].float(), self.phone[b["index"]].long()
        level = (
            (torch.rand(len(mel), 1, 1, device=self.device) - 0.6).mul(0.8).clamp(min=-0.25)
        )  # references differ in it
        mel = (mel + level).clamp(min=MEL_FLOOR)
        adversary = self.adversary if plan.harmonics_weight else None
        found = losses(self.learner, b, mel, phones, self._between(plan.low_share), adversary)
        total = found["flow"] + self._between(plan.phone_weight) * found.get("phone", 0.0)
        if adversary is not None:  # it is to know speech before anybody listens to it
            total = total + plan.harmonics_weight * min(1.0, self.step / (3 * plan.warmup)) * found["harmonics"]
        self.learner.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        scale = rate_scale(plan, self.step)
        set_rates(self.optimizers, (plan.muon_lr * scale, plan.adam_lr * scale))
        for optimizer in self.optimizers:
            optimizer.step()
        if adversary is not None:
            self.its_optimizer.zero_grad(set_to_none=True)
            found["adversary"].backward()
            self.its_optimizer.step()
        update_average(self.average, self.learner.transformer, self.step, plan.average)
        return {k: float(v.detach()) for k, v in found.items()}

    def run(self, report_every: int = 50, save_seconds: float = 100.0) -> None:
        """Train to the end of the plan, one line a report."""
        if self.compiled:
            self.learner.compile_blocks()
        torch.manual_seed(self.plan.seed * 15485863 + self.step)
        rows = Rows(Composer(self.corpus), self.plan, self.step)
        pinned = self.device.type == "cuda"
        source = iter(DataLoader(rows, batch_size=None, num_workers=self.plan.workers, pin_memory=pinned))
        curve, sums = Curve(self.folder / "acoustic.csv", COLUMNS), {}
        since = saved = time.monotonic()
        first, seen = self.step, 0
        while self.step < self.plan.steps:
            self.step += 1
            drawn = next(source)
            for name, value in self.one_step({k: torch.as_tensor(v) for k, v in drawn.items()}).items():
                sums.setdefault(name, []).append(value)
            seen += drawn["index"].shape[0] * drawn["index"].shape[1]
            if self.step % report_every == 0 or self.step == self.plan.steps:
                spent = time.monotonic() - since
                self.seconds += spent
                means = [float(np.mean(sums[k])) if k in sums else 0.0 for k in _SHOWN]
                left = (self.plan.steps - self.step) * spent / max(1, self.step - first)
                million = self.step * self.plan.frames / 1e6
                curve.add(
                    self.step, self.seconds, million, rate_scale(self.plan, self.step), *means, seen / spent, left
                )
                sums, first, seen, since = {}, self.step, 0, time.monotonic()
            if time.monotonic() - saved > save_seconds or self.step == self.plan.steps:
                self.save()
                saved = time.monotonic()


def train(plan: AcousticPlan, work: Path, start: Path | None, device: torch.device, compiled: bool) -> None:
    """Train in `work/acoustic`, from its checkpoint, else from the voice in `start`, else from nothing."""
    cfm = begin(network.ARCH, start)
    training = Training(plan, work / "acoustic", Corpus.load(work), cfm, device, compiled)
    training.resume()
    with network.plain_attention(1200 if device.type == "cpu" else 0):
        training.run()
