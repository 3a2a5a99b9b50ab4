"""What the acoustic model is asked in training, and what its answers cost.

The flow-matching loss says almost nothing about whether the text is followed: away from t = 0 the noised mel itself
gives the sounds away. So a share of the rows is drawn near t = 0, and there a frame-wise phone loss is read from a
middle block on the frames to be generated. In another share the state at t is where the model itself gets: at inference
it reads its own half-made speech, mistakes and all, and what is right there it has from the text alone.

What is judged is a velocity with a little guidance. Guidance of strength w goes from u, the velocity without text and
reference, to u + (1 + w) (v - u). Where v itself is right, a strength of 2 overshoots; where the velocity at 2 is
right, nothing is sharpened, and speech blurs to the mean of all ways to say it. Where the velocity at 0.5 is right, 2
goes twice as far as what is right, as 1 does where v is right; and with 1 fewest phones were wrong.

The phone head is dropped at export; CFM and DiT stay upstream's.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice import network
from training.demo_voice.corpus import Corpus
from training.demo_voice.critic import Critic
from training.demo_voice.harmonics import FROM_TIME, Adversary, adversarial_losses, loose_distance
from training.demo_voice.optim import half_is_faster
from training.demo_voice.rhythm import matching_frames
from training.demo_voice.rows import Batch, RowPlan, make_batch
from workbench.engine.settings import SynthesisSettings

GUIDANCE = SynthesisSettings().cfg_strength  # upstream's default, and what everybody gets who sets nothing
JUDGED = 0.5  # strength at which the velocity is to be right


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
        x = noised(batch, time_, noise)
        return self._velocity(batch, self._text(batch), x, time_, read_block, read_block + 1)[1]

    def forward(self, batch: Batch, time_: Tensor, x: Tensor, read_block: int) -> tuple[Tensor, Tensor]:
        """Velocity [b, n, 100] at the state `x`, phone logits [b, n, n_phones]."""
        velocity, middle = self._velocity(batch, self._text(batch), x, time_, read_block)
        return velocity, self.phone_head(middle)

    @torch.no_grad()
    def own_state(self, batch: Batch, time_: Tensor, noise: Tensor, n_steps: int) -> Tensor:
        """Where the model itself gets from `noise` by `time_` [b] in guided Euler steps, the first ones small.

        Always with text and reference: guidance asks the model without them about these very states.
        """
        told, free = (replace(batch, drop=torch.full_like(batch.drop, gone)) for gone in (False, True))
        texts = self._text(told), self._text(free)
        x, now = noise, torch.zeros_like(time_)
        for k in range(n_steps):
            velocity, unguided = (
                self._velocity(b, text, x, now, 0)[0] for b, text in zip((told, free), texts, strict=True)
            )
            until = time_ * 4.0 ** (k + 1 - n_steps)
            x = x + (until - now)[:, None, None] * away_from(unguided, velocity).float()
            now = until
        return x

    def guided(self, batch: Batch, time_: Tensor, x: Tensor, velocity: Tensor) -> Tensor:
        """`velocity` [b, n, 100] with guidance of `JUDGED`; that of rows without text and reference stays as it is."""
        free = replace(batch, drop=torch.ones_like(batch.drop))
        with torch.no_grad():
            unguided = self._velocity(free, self._text(free), x, time_, 0)[0]
        return torch.where(batch.drop[:, None, None], velocity, away_from(unguided, velocity, JUDGED))

    def _text(self, batch: Batch) -> Tensor:
        """Text features of every frame [b, n, text_dim]."""
        n_frames = batch.mel.shape[1]
        full = torch.full_like(batch.n_chars, n_frames)
        encoded = network.encode_characters(self.transformer.text_embed, batch.ids, batch.n_chars, full, batch.drop)
        return network.upsample(encoded, batch.n_chars, n_frames)

    def _velocity(
        self,
        batch: Batch,
        text: Tensor,
        x: Tensor,
        time_: Tensor,
        read_block: int,
        n_blocks: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        cond = batch.mel.masked_fill((batch.masked | batch.drop[:, None])[..., None], 0.0)
        blocks = (self._blocks or list(self.transformer.transformer_blocks))[:n_blocks]
        return network.velocity(self.transformer, x, cond, text, time_, read_block, blocks)


def away_from(unguided: Tensor, velocity: Tensor, strength: float = GUIDANCE) -> Tensor:
    """The guided velocity: as far beyond `velocity` as guidance goes, seen from the one without text and reference."""
    return velocity + strength * (velocity - unguided)


def noised(batch: Batch, time_: Tensor, noise: Tensor) -> Tensor:
    """The state at `time_` [b] on the straight way from `noise` to the mel [b, n, 100]."""
    t = time_[:, None, None]
    return (1 - t) * noise + t * batch.mel


def fit_phone_head(learner: Learner, corpus: Corpus, read_block: int, seed: int = 1, steps: int = 120) -> float:
    """Fit the fresh phone head to blocks that know something already; a cold head would teach them nonsense at first.

    Returns:
        The loss of the last step (1.5 on the second voice, where a cold head starts at 3.8).
    """
    rng, n_rows, n_frames = random.Random(seed), 6, 224
    optimizer = torch.optim.AdamW(learner.phone_head.parameters(), 1e-2)
    loss = torch.zeros(())
    for step in range(steps):
        batch = make_batch(corpus, n_rows, n_frames, RowPlan(drop=0.0, free=0.3), rng)
        with torch.no_grad():
            middle = learner.read(batch, torch.rand(n_rows) * 0.05, torch.randn_like(batch.mel), read_block)
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


def draw_own_times(n_rows: int, n_steps: int, device: torch.device) -> Tensor:
    """Times of a batch of the model's own states [b], as dense as sampling with sway -1 visits them.

    Not farther than `n_steps` carry: one stride from noise to t = 0.5 ends where no sampling ever goes.
    """
    return min(0.9, 0.02 * 4.0**n_steps) * (1 - torch.cos(torch.rand(n_rows, device=device) * (math.pi / 2)))


def half_precision(device: torch.device) -> torch.autocast:
    """bf16 where it is the faster one."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half_is_faster(device))


def frame_weights(masked: Tensor) -> Tensor:
    """Weight [b, n] of each masked frame; they sum to one.

    Between a mean over all frames, to which a word or two after a long reference adds next to nothing, and a mean over
    rows, which makes such frames count twenty times as much as others: the root of the number of frames of a row.
    """
    weight = masked / masked.sum(1, keepdim=True).clamp(min=1).sqrt()
    return weight / weight.sum().clamp(min=1e-6)


def losses(
    learner: Learner,
    batch: Batch,
    low_share: float,
    read_block: int,
    critic: Critic | None = None,
    own_steps: int = 0,
    adversary: Adversary | None = None,
) -> dict[str, Tensor]:
    """Flow-matching loss over the masked frames, phone loss and accuracy where the state does not tell the phones.

    Such rows are those near t = 0, and with `own_steps` all: their states are where the model gets by itself in so many
    steps. Their target is the mel in the rhythm of the guess, less so as t grows and the state's own pitch counts. With
    a critic, also its loss on the mel that the velocity points to there; with an adversary, what it says of the
    harmonics of that mel, and its own loss.
    """
    device = batch.mel.device
    noise, own = torch.randn_like(batch.mel), own_steps > 0
    time_ = draw_own_times(len(batch.mel), own_steps, device) if own else draw_times(len(batch.mel), low_share, device)
    with half_precision(device):
        x = learner.own_state(batch, time_, noise, own_steps) if own else noised(batch, time_, noise)
        velocity, logits = learner(batch, time_, x, read_block)
        velocity = learner.guided(batch, time_, x, velocity)
    guess = x + (1 - time_)[:, None, None] * velocity.float()
    mel, phones = batch.mel, batch.phones
    if own:
        frames = matching_frames(guess.detach(), mel, batch.masked)
        mel, phones = mel.gather(1, frames[..., None].expand_as(mel)), phones.gather(1, frames)
    error = loose_distance(guess, mel) if own else (guess - mel).square().mean(-1)
    error = error * (1 - time_[:, None]) ** 2 if own else error / (1 - time_[:, None]).clamp(min=1e-3) ** 2
    logits = logits.float()
    told = ~batch.drop & ((time_ < 0.06) | own)
    near = told[:, None] & batch.masked
    weight, near_weight = frame_weights(batch.masked), frame_weights(near)
    entropy = F.cross_entropy(logits.transpose(1, 2), phones, reduction="none")
    count = near.sum().clamp(min=1)
    found = {
        "flow": (error * weight).sum(),
        "flow_near_0": (error * near).sum().detach() / count,
        "phone": (entropy * near_weight).sum(),
        "accuracy": ((logits.argmax(-1) == phones) & near).sum() / count,
    }
    if critic is not None and own:
        heard = torch.where(batch.masked[..., None], guess, batch.mel)[told]
        with half_precision(device):
            found["critic"] = critic.loss(heard, batch.phones[told]) if len(heard) else guess.sum() * 0
    if adversary is not None and own:
        keep = near * (time_ * (time_ > FROM_TIME))[:, None]
        found["harmonics"], found["adversary"] = adversarial_losses(adversary, guess, mel, keep)
    return found
