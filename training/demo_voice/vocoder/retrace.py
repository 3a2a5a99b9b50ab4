"""What the acoustic model makes of speech that it has half heard: mels like the generated ones, with their audio.

A vocoder that has only met mels of recordings takes the blurred harmonics of generated ones for noise. From a state on
the way from noise to the recording's mel, the model goes on by itself: words, rhythm and pitch stay the recording's,
because the state tells them, and the rest has the model's own mistakes.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.demo_voice.acoustic import network
from training.demo_voice.acoustic.flow import half_precision, masked_frames
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.corpus.rows import Composer, RowPlan, batch
from training.demo_voice.errors import CorpusError
from workbench.engine.settings import SynthesisSettings

FROM = (0.15, 0.5)  # of the way: before, the pitch is not the recording's; behind, no mistake is the model's
STEPS = 6
_LENGTHS = (512, 704, 960)
_FEWEST_FRAMES = 70


@torch.no_grad()
def retraced(transformer: Any, mel: Tensor, b: dict[str, Tensor], start: Tensor, steps: int = STEPS) -> Tensor:
    """`mel` [b, n, 100] with the masked frames as the model makes them from `start` [b] on, guided."""
    rows, n, device = mel.shape[0], mel.shape[1], mel.device
    masked = masked_frames(b, n)[..., None]
    cond = mel.masked_fill(masked, 0.0)
    full, none = torch.full_like(b["n_chars"], n), torch.zeros(rows, dtype=torch.bool, device=device)
    guidance = SynthesisSettings().cfg_strength
    swayed = 1 - torch.cos(torch.linspace(0, math.pi / 2, steps + 1, device=device))
    grid = start[:, None] + (1 - start[:, None]) * swayed
    with half_precision(device):
        texts = [
            network.upsample(
                network.encode_characters(transformer.text_embed, b["ids"], b["n_chars"], full, drop), b["n_chars"], n
            )
            for drop in (none, ~none)
        ]
        x = (1 - start)[:, None, None] * torch.randn_like(mel) + start[:, None, None] * mel
        for k in range(steps):
            t = grid[:, k]
            told, _ = network.velocity(transformer, x, cond, texts[0], t, 0)
            free, _ = network.velocity(transformer, x, torch.zeros_like(cond), texts[1], t, 0)
            x = x + (grid[:, k + 1] - t)[:, None, None] * (told + guidance * (told - free)).float()
    return torch.where(masked, x, mel)


def retrace(
    transformer: Any, corpus: Corpus, mel: Tensor, batches: int, frames: int, seed: int
) -> tuple[Tensor, np.ndarray]:
    """The last utterance of each row of so many batches of `frames` frames, as the model makes it.

    Args:
        mel: the corpus's f16 [F, 100], on the model's device.

    Returns:
        Mels f16 end to end, and (first frame there, first frame in the corpus, frames) of each stretch i64 [k, 3].

    Raises:
        CorpusError: the corpus is too small for it.
    """
    composer = Composer(corpus, RowPlan(drop=0.0, free=0.0, span=0.0, brief=0.05, tiny=0.0))
    lengths = [n for n in _LENGTHS if composer.fits(n)]
    rng, mels, table, at = random.Random(seed), [], [], 0
    for _ in range(batches if lengths else 0):
        n = rng.choice(lengths)
        drawn = batch(composer, max(1, frames // n), n, rng)
        b = {k: torch.as_tensor(v).to(mel.device) for k, v in drawn.items()}
        start = FROM[0] + torch.rand(len(drawn["last"]), device=mel.device) * (FROM[1] - FROM[0])
        made = retraced(transformer, mel[b["index"]].float(), b, start).half()
        for k, (place, i) in enumerate(drawn["last"]):
            size = min(int(corpus.end[i] - corpus.start[i]), n - int(place))
            if size >= _FEWEST_FRAMES and place >= drawn["begin"][k]:
                mels.append(made[k, place : place + size])
                table.append((at, int(corpus.first[i] + corpus.start[i]), size))
                at += size
    if not mels:
        raise CorpusError(
            "The corpus is too small for the acoustic model to say any of it again.",
            remedy="Have the teacher speak more shards, or give --retraced 0.",
        )
    return torch.cat(mels), np.array(table, np.int64)
