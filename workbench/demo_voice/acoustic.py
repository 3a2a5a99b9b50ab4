"""Training the acoustic model: flow matching, with a phone loss where only the text can tell what to say.

The flow-matching loss says almost nothing about whether the text is followed: away from t = 0 the noised mel itself
gives the sounds away. So a share of the rows is drawn near t = 0, and there a frame-wise phone loss is read from a
middle block on the frames to be generated. The phone head is dropped at export; CFM and DiT stay upstream's.
"""

from __future__ import annotations

import copy
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.demo_voice import network
from workbench.demo_voice.corpus import Corpus
from workbench.demo_voice.optim import half_is_faster, make_optimizers, share_gradients, update_average
from workbench.demo_voice.records import Curve, save_state
from workbench.demo_voice.rows import Batch, RowPlan, make_batch

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
)


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
    spelling_weight: float = 0.1
    read_block: int = 4
    curriculum: tuple[tuple[int, dict[int, float]], ...] = (
        (400, {160: 1, 224: 1}),
        (1600, {160: 1, 224: 2, 320: 2, 448: 1}),
        (3500, {224: 2, 320: 3, 448: 3, 640: 2}),
        (10**9, {224: 1, 320: 2, 448: 3, 640: 3, 1120: 1.5, 2240: 0.5}),
    )
    seed: int = 1


class Learner(nn.Module):
    """The model with the two heads that only training needs."""

    def __init__(self, cfm: Any, n_phones: int, n_phonemes: int) -> None:
        super().__init__()
        self.transformer = cfm.transformer
        self.phone_head = nn.Linear(cfm.dim, n_phones)
        self.spelling_head = nn.Linear(cfm.transformer.text_embed.text_embed.embedding_dim, 2 * (n_phonemes + 1))
        self._blocks: list[Any] | None = None

    def compile_blocks(self) -> None:
        """Compile the blocks and the convolution before them for fixed shapes: 1.3 times faster on a CPU."""
        torch._dynamo.config.recompile_limit = 64
        self.transformer.input_embed.conv_pos_embed.compile(dynamic=False)
        self._blocks = [torch.compile(block, dynamic=False) for block in self.transformer.transformer_blocks]

    def read(self, batch: Batch, time_: Tensor, noise: Tensor, read_block: int) -> Tensor:
        """Hidden state [b, n, dim] after `read_block`; the blocks behind it do not run."""
        return self._run(batch, time_, noise, read_block, read_block + 1)[1]

    def forward(self, batch: Batch, time_: Tensor, noise: Tensor, read_block: int) -> tuple[Tensor, Tensor]:
        """Squared error of the velocity per frame [b, n], phone logits [b, n, n_phones]."""
        velocity, middle = self._run(batch, time_, noise, read_block)
        return (velocity.float() - (batch.mel - noise)).square().mean(-1), self.phone_head(middle)

    def _run(
        self, batch: Batch, time_: Tensor, noise: Tensor, read_block: int, n_blocks: int | None = None
    ) -> tuple[Tensor, Tensor]:
        n_frames = batch.mel.shape[1]
        full = torch.full_like(batch.n_chars, n_frames)
        encoded = network.encode_characters(self.transformer.text_embed, batch.ids, batch.n_chars, full, batch.drop)
        text = network.upsample(encoded, batch.n_chars, n_frames)
        cond = batch.mel.masked_fill(batch.masked[..., None], 0.0)
        t = time_[:, None, None]
        x = (1 - t) * noise + t * batch.mel
        blocks = (self._blocks or list(self.transformer.transformer_blocks))[:n_blocks]
        return network.velocity(self.transformer, x, cond, text, time_, read_block, blocks)


def fit_phone_head(learner: Learner, corpus: Corpus, plan: AcousticPlan, steps: int = 120) -> float:
    """Fit the fresh phone head to blocks that know something already; a cold head would teach them nonsense at first.

    Returns:
        The loss of the last step (1.5 on the second voice, where a cold head starts at 3.8).
    """
    rng, n_rows, n_frames = random.Random(plan.seed), 6, 224
    optimizer = torch.optim.AdamW(learner.phone_head.parameters(), 1e-2)
    loss = torch.zeros(())
    for step in range(steps):
        batch = make_batch(corpus, n_rows, n_frames, RowPlan(drop=0.0, free=0.3), rng)
        with torch.no_grad():
            middle = learner.read(batch, torch.rand(n_rows) * 0.05, torch.randn_like(batch.mel), plan.read_block)
        loss = F.cross_entropy(learner.phone_head(middle)[batch.masked], batch.phones[batch.masked])
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def open_gates(transformer: Any, value: float = 0.3) -> None:
    """Start the blocks' gates at `value` instead of upstream's zero: attention gets a gradient from the first step."""
    dim = transformer.dim
    with torch.no_grad():
        for block in transformer.transformer_blocks:
            block.attn_norm.linear.bias[2 * dim : 3 * dim] = value
            block.attn_norm.linear.bias[5 * dim :] = value


def draw_times(n_rows: int, low_share: float, device: torch.device) -> Tensor:
    """Times of a batch [b]: `low_share` of them in 0..0.05, the rest in 0..1."""
    u = torch.rand(n_rows, device=device)
    return torch.where(torch.rand(n_rows, device=device) < low_share, u * 0.05, u)


def half_precision(device: torch.device) -> torch.autocast:
    """bf16 where it is the faster one."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half_is_faster(device))


def losses(learner: Learner, batch: Batch, low_share: float, read_block: int) -> dict[str, Tensor]:
    """Flow-matching loss over the masked frames, phone loss and accuracy over those of rows near t = 0."""
    device = batch.mel.device
    time_ = draw_times(len(batch.mel), low_share, device)
    with half_precision(device):
        error, logits = learner(batch, time_, torch.randn_like(batch.mel), read_block)
    logits = logits.float()
    masked = batch.masked.float()
    low = (time_ < 0.06)[:, None] & batch.masked & ~batch.drop[:, None]
    entropy = F.cross_entropy(logits.transpose(1, 2), batch.phones, reduction="none")
    count = low.sum().clamp(min=1)
    near = low.float()
    return {
        "flow": (error * masked).sum() / masked.sum(),
        "flow_near_0": (error * near).sum().detach() / count,
        "phone": (entropy * near).sum() / count,
        "accuracy": ((logits.argmax(-1) == batch.phones) & low).sum() / count,
    }


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
    step: int = 0
    seconds: float = 0.0
    average: nn.Module = field(init=False)
    optimizers: list[torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.learner.transformer).eval()
        self.optimizers = make_optimizers(self.learner, self.plan.muon_lr, self.plan.adam_lr)

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
            save_state(self.folder / "acoustic.pt", state)

    def _between(self, ends: tuple[float, float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * min(1.0, self.step / self.plan.steps)

    def one_step(self, n_frames: int, rng: random.Random) -> dict[str, float]:
        """One update on rows of `n_frames`; returns the losses."""
        plan = self.plan
        n_rows, free = max(1, plan.batch_frames // n_frames), self._between(plan.no_reference_share)
        drift = self._between(plan.drift_frames)
        batch = make_batch(self.corpus, n_rows, n_frames, RowPlan(free=free, drift_frames=drift), rng).to(self.device)
        found = losses(self.learner, batch, self._between(plan.low_time_share), plan.read_block)
        total = found["flow"] + self._between(plan.phone_weight) * found["phone"]
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
        update_average(self.average, self.learner.transformer, self.step)
        return {k: float(v.detach()) for k, v in found.items()}

    def _spelling_loss(self) -> Tensor:
        ids, n_chars, n_frames, flat, n_targets = (part.to(self.device) for part in next(self.spelling))
        encoded = network.encode_characters(self.learner.transformer.text_embed, ids, n_chars, n_frames)
        logits = self.learner.spelling_head(encoded[:, : ids.shape[1]])
        log_probs = logits.view(len(ids), ids.shape[1] * 2, -1).log_softmax(-1)
        return F.ctc_loss(log_probs.transpose(0, 1), flat, n_chars * 2, n_targets, zero_infinity=True)

    def run(self, report_every: int = 25, save_every: int = 50) -> None:
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
            n_frames = row_length(self.plan, self.step, shared)
            for name, value in self.one_step(n_frames, own).items():
                sums.setdefault(name, []).append(value)
            frames += world * n_frames * max(1, self.plan.batch_frames // n_frames)
            if self.step % report_every == 0:
                spent = time.perf_counter() - since
                self.seconds += spent
                means = {k: sum(v) / len(v) for k, v in sums.items()}
                if curve:
                    rate = self.optimizers[0].param_groups[0]["lr"]
                    shown = [means.get(k, 0.0) for k in ("flow", "flow_near_0", "phone", "accuracy", "spelling")]
                    curve.add(self.step, self.seconds, *shown, rate, frames / spent)
                sums, frames, since = {}, 0, time.perf_counter()
            if self.step % save_every == 0 or self.step == self.plan.steps:
                self.save()
