"""What the acoustic model is asked in training, and what its answers cost.

Flow matching on the frames that are to be generated. That loss says almost nothing about whether the text is followed:
away from t = 0 the noised mel itself gives the sounds away. So a share of the rows is drawn near t = 0, and there a
phone loss is read from a middle block, against the teacher's own durations. Its head is dropped at the end; CFM and DiT
stay upstream's.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice.acoustic import network
from training.demo_voice.acoustic.harmonics import FROM_TIME, Adversary, adversarial_losses
from training.demo_voice.acoustic.optim import half_is_faster

N_PHONES = 178  # signs of the teacher's alphabet
MEL_FLOOR = math.log(1e-5)
NEAR = 0.06  # of t: where the state does not tell the sounds


class Learner(nn.Module):
    """Upstream's DiT with the head that only training needs."""

    def __init__(self, transformer: Any, read_block: int) -> None:
        super().__init__()
        self.transformer, self.read_block = transformer, read_block
        self.phone_head = nn.Linear(transformer.dim, N_PHONES)

    def text(self, ids: Tensor, n_chars: Tensor, n_frames: int, drop: Tensor) -> Tensor:
        """Text features of every frame [b, n_frames, text_dim]."""
        full = torch.full_like(n_chars, n_frames)
        encoded = network.encode_characters(self.transformer.text_embed, ids, n_chars, full, drop)
        return network.upsample(encoded, n_chars, n_frames)

    def forward(self, x: Tensor, cond: Tensor, text: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity [b, n, 100] and the hidden state behind `read_block` [b, n, dim]."""
        return network.velocity(self.transformer, x, cond, text, time, self.read_block)

    def compile_blocks(self) -> None:
        """Compile the blocks and the convolution before them, for a few fixed shapes."""
        torch._dynamo.config.recompile_limit = 64
        self.transformer.input_embed.conv_pos_embed.compile(dynamic=False)
        for block in self.transformer.transformer_blocks:
            block.compile(dynamic=False)


def half_precision(device: torch.device) -> torch.autocast:
    """bf16 where it is the faster one."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half_is_faster(device))


def masked_frames(b: dict[str, Tensor], n_frames: int) -> Tensor:
    """Frames that are to be generated, bool [b, n_frames]."""
    frame = torch.arange(n_frames, device=b["begin"].device)[None]
    return (frame >= b["begin"][:, None]) & (frame < b["end"][:, None])


def frame_weights(masked: Tensor) -> Tensor:
    """Weight [b, n] of each masked frame; they sum to one.

    Between a mean over all frames, to which a word or two after a long reference adds next to nothing, and a mean over
    rows, which makes such frames count twenty times as much as others: the root of the number of frames of a row.
    """
    weight = masked / masked.sum(1, keepdim=True).clamp(min=1).sqrt()
    return weight / weight.sum().clamp(min=1e-6)


def losses(
    learner: Learner,
    b: dict[str, Tensor],
    mel: Tensor,
    phones: Tensor,
    low_share: float,
    adversary: Adversary | None = None,
) -> dict[str, Tensor]:
    """Flow-matching loss over the masked frames, phone loss and accuracy near t = 0, both losses of an adversary.

    Args:
        b: a batch (`rows.batch`). mel: f32 [b, n, 100]. phones: i64 [b, n]. low_share: of the rows with t < `NEAR`.
    """
    rows, n, device = mel.shape[0], mel.shape[1], mel.device
    masked, drop = masked_frames(b, n), b["drop"]
    u = torch.rand(rows, device=device)
    time = torch.where(torch.rand(rows, device=device) < low_share, u * NEAR, u)
    noise, t = torch.randn_like(mel), time[:, None, None]
    x = (1 - t) * noise + t * mel
    cond = mel.masked_fill((masked | drop[:, None])[..., None], 0.0)
    near = (~drop & (time < NEAR)).nonzero().flatten()
    with half_precision(device):
        velocity, middle = learner(x, cond, learner.text(b["ids"], b["n_chars"], n, drop), time)
        logits = learner.phone_head(middle[near])
    error, weight = (velocity.float() - (mel - noise)).square().mean(-1), frame_weights(masked)
    found = {"flow": (error * weight).sum()}
    if len(near):
        entropy = F.cross_entropy(logits.float().transpose(1, 2), phones[near], reduction="none")
        share = weight[near] / weight[near].sum().clamp(min=1e-9)
        found["phone"] = (entropy * share).sum()
        found["accuracy"] = ((logits.argmax(-1) == phones[near]) * share).sum().detach()
        found["flow_near_0"] = (error[near] * share).sum().detach()
    if adversary is not None:
        guess = x + (1 - t) * velocity.float()
        keep = masked * (~drop & (time > FROM_TIME))[:, None]
        found["harmonics"], found["adversary"] = adversarial_losses(adversary, guess, mel, keep.float())
    return found
