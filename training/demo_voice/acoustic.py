"""Training the acoustic model: the schedule, the steps, the checkpoints (module `learning` has the losses)."""

from __future__ import annotations

import copy
import json
import random
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice import network
from training.demo_voice.corpus import Corpus
from training.demo_voice.critic import Critic
from training.demo_voice.harmonics import Adversary
from training.demo_voice.learning import Learner, losses
from training.demo_voice.optim import make_optimizers, share_gradients, update_average
from training.demo_voice.records import Curve, save_state
from training.demo_voice.rows import RowPlan, make_batch
from training.demo_voice.samples import Samples
from training.demo_voice.texts import CorpusError

_OWN = ("own_flow", "own_phone", "own_critic", "own_harmonics", "own_adversary")
COLUMNS = (
    "step",
    "seconds",
    "flow",
    "flow_near_0",
    "phone_loss",
    "phone_accuracy",
    "spelling",
    "lr",
    "frames_per_second",
    *_OWN,
)

OWN_DROP = 1 / 3  # of the rows on states of the model's own: without text and reference, as the other half of guidance


@dataclass(frozen=True)
class AcousticPlan:
    """The schedule, in steps only: a process that is stopped and continued loses nothing.

    Attributes:
        curriculum: (last step, {row length in frames: weight}).
        batch_frames: frames of one step of one process.
        low_time_share: (share of rows with t < 0.05 at the start, at the end).
        no_reference_share: likewise, of rows generated whole: every frame of them teaches something.
        drift_frames: likewise, how far speech may drift from the even spread of its text (rows.RowPlan).
        phone_weight: likewise, weight of the phone loss.
        own_share: likewise, share of the steps on states that the model itself gets to, in rows of `own_lengths` frames
            (few, because each length is compiled anew).
        critic_weight: weight of the critic's loss; 0 does without a critic.
        harmonics_weight: likewise, of the adversary's (module `harmonics`).
        decay_from: share of the steps after which the learning rate falls linearly to 3 %.
    """

    steps: int = 6000
    batch_frames: int = 1344
    muon_lr: float = 4e-3
    adam_lr: float = 1.5e-3
    warmup: int = 60
    decay_from: float = 0.6
    low_time_share: tuple[float, float] = (0.6, 0.35)
    no_reference_share: tuple[float, float] = (0.5, 0.12)
    drift_frames: tuple[float, float] = (12.0, 40.0)
    phone_weight: tuple[float, float] = (1.0, 0.3)
    own_share: tuple[float, float] = (0.0, 0.25)
    own_lengths: tuple[int, ...] = (320, 448)
    critic_weight: float = 0.2
    harmonics_weight: float = 0.1
    spelling_weight: float = 0.1
    read_block: int = 4
    curriculum: tuple[tuple[int, dict[int, float]], ...] = (
        (400, {160: 1, 224: 1}),
        (1600, {160: 1, 224: 2, 320: 2, 448: 1}),
        (3500, {224: 2, 320: 3, 448: 3, 640: 2}),
        (10**9, {224: 1, 320: 2, 448: 3, 640: 3, 1120: 1.5, 2240: 0.5}),
    )
    seed: int = 1


def read_plan(path: Path) -> dict[str, Any]:
    """Fields of `AcousticPlan` from JSON. Raises CorpusError when it cannot be read or names another field."""
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        unknown = set(found) - {f.name for f in fields(AcousticPlan)}
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(
            f"{path} is no plan: {error}", remedy="write a JSON object of AcousticPlan's fields"
        ) from error
    if unknown:
        raise CorpusError(f"{path}: AcousticPlan has no {', '.join(sorted(unknown))}", remedy="see acoustic.py")
    if "curriculum" in found:  # JSON has no whole numbers as keys, and no tuples
        found["curriculum"] = tuple((last, {int(n): w for n, w in rows.items()}) for last, rows in found["curriculum"])
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def row_length(plan: AcousticPlan, step: int, rng: random.Random) -> int:
    """Length of the rows of a step, from the curriculum."""
    weights = next(lengths for last, lengths in plan.curriculum if step <= last)
    return int(rng.choices(list(weights), list(weights.values()))[0])


def rate_scale(plan: AcousticPlan, step: int) -> float:
    """Learning rate as a share of its peak: warm-up, plateau, linear fall."""
    done = step / plan.steps
    fall = 1.0 if done < plan.decay_from else 1 - 0.97 * (done - plan.decay_from) / (1 - plan.decay_from)
    return min(1.0, step / plan.warmup) * max(0.03, fall)


@dataclass
class Training:
    """Everything a training holds; `run` goes on from the last checkpoint of its folder."""

    plan: AcousticPlan
    folder: Path
    corpus: Corpus
    spelling: Any  # endless batches for the spelling loss (letters.batches), or None
    learner: Learner
    rank: int = 0
    critic: Critic | None = None
    samples: Samples | None = None
    step: int = 0
    seconds: float = 0.0
    average: nn.Module = field(init=False)
    optimizers: list[torch.optim.Optimizer] = field(init=False)
    adversary: Adversary = field(init=False)
    its_optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.learner.transformer).eval()
        self.optimizers = make_optimizers(self.learner, self.plan.muon_lr, self.plan.adam_lr)
        with torch.random.fork_rng(devices=[]):  # the same in all processes
            torch.manual_seed(self.plan.seed)
            self.adversary = Adversary().to(self.device)
        self.its_optimizer = torch.optim.AdamW(self.adversary.parameters(), 3e-4, betas=(0.5, 0.9))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.learner.parameters()).device

    def resume(self) -> bool:
        """Continue from `acoustic.pt` when it is there."""
        path = self.folder / "acoustic.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.learner.load_state_dict(state["learner"])
        self.average.load_state_dict(state["average"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.optimizers[1].load_state_dict(state["adam"])
        if "adversary" in state:  # else of an earlier version
            self.adversary.load_state_dict(state["adversary"])
            self.its_optimizer.load_state_dict(state["its_optimizer"])
        return True

    def save(self) -> None:
        """Write the checkpoint (first process only)."""
        if self.rank == 0:
            state = {
                "learner": self.learner.state_dict(),
                "average": self.average.state_dict(),
                "plan": asdict(self.plan),
            }
            state |= {"step": self.step, "seconds": self.seconds, "adam": self.optimizers[1].state_dict()}
            state |= {"adversary": self.adversary.state_dict(), "its_optimizer": self.its_optimizer.state_dict()}
            save_state(self.folder / "acoustic.pt", state)

    def _between(self, ends: tuple[float, float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * min(1.0, self.step / self.plan.steps)

    def one_step(self, n_frames: int, rng: random.Random, own_steps: int = 0) -> dict[str, float]:
        """One update on rows of `n_frames`; returns the losses, those on states of the model's own as `own_…`."""
        plan = self.plan
        n_rows, free = max(1, plan.batch_frames // n_frames), self._between(plan.no_reference_share)
        drift = self._between(plan.drift_frames)
        rows = RowPlan(free=free, drift_frames=drift)
        batch = make_batch(self.corpus, n_rows, n_frames, replace(rows, drop=0.0) if own_steps else rows, rng)
        if own_steps:
            batch.drop = torch.rand(n_rows) < OWN_DROP
        batch = batch.to(self.device)
        low = self._between(plan.low_time_share)
        adversary = self.adversary if plan.harmonics_weight else None
        found = losses(self.learner, batch, low, plan.read_block, self.critic, own_steps, adversary)
        total = found["flow"] + self._between(plan.phone_weight) * found["phone"]
        if "critic" in found:
            total = total + plan.critic_weight * found["critic"]
        if "harmonics" in found:  # the adversary is to know speech before anybody listens to it
            total = total + plan.harmonics_weight * min(1.0, self.step / (3 * plan.warmup)) * found["harmonics"]
        its_loss = found.get("adversary")
        if own_steps:
            found = {f"own_{k}": v for k, v in found.items()}
        if self.spelling is not None:
            found["spelling"] = self._spelling_loss()
            total = total + plan.spelling_weight * found["spelling"]
        self.learner.zero_grad(set_to_none=True)
        total.backward()
        params = [p for p in self.learner.parameters() if p.grad is not None]  # the same in all processes
        share_gradients(params)
        nn.utils.clip_grad_norm_(params, 1.0)
        for optimizer, peak in zip(self.optimizers, (plan.muon_lr, plan.adam_lr), strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate_scale(plan, self.step)
            optimizer.step()
        if its_loss is not None:
            self._teach_adversary(its_loss)
        update_average(self.average, self.learner.transformer, self.step)
        return {k: float(v.detach()) for k, v in found.items()}

    def _teach_adversary(self, loss: Tensor) -> None:
        self.its_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(list(self.adversary.parameters()))
        self.its_optimizer.step()

    def _kind_of_step(self, shared: random.Random) -> tuple[int, int]:
        """Row length, and the steps to a state of the model's own, 0 for a state of the data."""
        if shared.random() < self._between(self.plan.own_share):
            return shared.choice(self.plan.own_lengths), shared.randint(2, 3)
        return row_length(self.plan, self.step, shared), 0

    def _spelling_loss(self) -> Tensor:
        ids, n_chars, n_frames, flat, n_targets = (part.to(self.device) for part in next(self.spelling))
        encoded = network.encode_characters(self.learner.transformer.text_embed, ids, n_chars, n_frames)
        logits = self.learner.spelling_head(encoded[:, : ids.shape[1]])
        log_probs = logits.view(len(ids), ids.shape[1] * 2, -1).log_softmax(-1)
        return F.ctc_loss(log_probs.transpose(0, 1), flat, n_chars * 2, n_targets, zero_infinity=True)

    def run(self, report_every: int = 25, save_every: int = 50, sample_every: int = 200) -> None:
        """Train to the end of the plan."""
        shared = random.Random(self.plan.seed * 7919 + self.step)  # same row length in all processes
        own = random.Random(self.plan.seed * 104729 + self.step * 64 + self.rank)
        torch.manual_seed(self.plan.seed * 15485863 + self.step * 64 + self.rank)
        curve = Curve(self.folder / "acoustic.csv", COLUMNS) if self.rank == 0 else None
        sums: dict[str, list[float]] = {}
        frames, since = 0, time.perf_counter()
        world = dist.get_world_size() if dist.is_initialized() else 1
        while self.step < self.plan.steps:
            self.step += 1
            n_frames, own_steps = self._kind_of_step(shared)
            for name, value in self.one_step(n_frames, own, own_steps).items():
                sums.setdefault(name, []).append(value)
            frames += world * n_frames * max(1, self.plan.batch_frames // n_frames)
            if self.step % report_every == 0:
                spent = time.perf_counter() - since
                self.seconds += spent
                means = {k: sum(v) / len(v) for k, v in sums.items()}
                if curve:
                    rate = self.optimizers[0].param_groups[0]["lr"]
                    shown = [means.get(k, 0.0) for k in ("flow", "flow_near_0", "phone", "accuracy", "spelling")]
                    more = [means.get(k, 0.0) for k in _OWN]
                    curve.add(self.step, self.seconds, *shown, rate, frames / spent, *more)
                sums, frames, since = {}, 0, time.perf_counter()
            if self.step % save_every == 0 or self.step == self.plan.steps:
                self.save()
            if self.samples and (self.step % sample_every == 0 or self.step == self.plan.steps):
                self.samples.write(self.average, self.step)
