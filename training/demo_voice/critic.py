"""A second ear, for training only: it says which phones the model's own guess of the speech would be heard as.

Flow matching asks for the right spectrum and is content with a babble of it. The critic reads the clean mel that the
velocity points to and asks, by CTC, for the phones of the text; its gradient goes to the model, never to itself. It is
a convolutional network trained with another seed, so that the recurrent recogniser of the evaluation has not been
taught to: a mistake that only the critic cannot hear still counts there.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.demo_voice.metrics import collapse
from training.demo_voice.recogniser import BLANK, STRIDE, Ear, normalised

_DILATIONS = (1, 2, 4, 1, 2, 4)


class Critic(Ear):
    """Mel [b, n, 100] to CTC and frame logits, both [b, ceil(n / 2), n_phones]; hears about 0.6 s around a frame."""

    def __init__(self, n_phones: int, hidden: int = 224) -> None:
        super().__init__()
        self.hidden, self.n_phones = hidden, n_phones
        self.front = nn.Sequential(nn.Conv1d(100, hidden, 5, stride=STRIDE, padding=2), nn.GELU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, hidden), nn.Conv1d(hidden, hidden, 3, dilation=d, padding=d), nn.GELU(),
                nn.Conv1d(hidden, hidden, 1),
            )
            for d in _DILATIONS
        )  # fmt: skip
        self.ctc = nn.Linear(hidden, n_phones)
        self.frame = nn.Linear(hidden, n_phones)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of both heads."""
        h = self.front(normalised(mel).transpose(1, 2))
        for block in self.blocks:
            h = h + block(h)
        h = h.transpose(1, 2)
        return self.ctc(h), self.frame(h)

    def loss(self, mel: Tensor, phones: Tensor) -> Tensor:
        """CTC loss per phone of mels [b, n, 100] that are to be heard as `phones`, frame labels [b, n]."""
        log_probs = self(mel)[0].float().log_softmax(-1).transpose(0, 1)
        wanted = [collapse(row, silence=BLANK) for row in phones.tolist()]
        lens = torch.tensor([len(w) for w in wanted])
        flat = torch.tensor([p for w in wanted for p in w], device=mel.device)
        full = torch.full((len(wanted),), log_probs.shape[0])
        return F.ctc_loss(log_probs, flat, full, lens, blank=BLANK, zero_infinity=True)


def load_critic(path: Path) -> Critic:
    """A trained critic whose weights stay as they are."""
    state = torch.load(path, weights_only=True)
    critic = Critic(state["n_phones"], state["hidden"])
    critic.load_state_dict(state["model"])
    return critic.eval().requires_grad_(False)
