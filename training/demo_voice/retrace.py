"""What the acoustic model makes of recordings that it has half heard: mels like the generated ones, with their audio.

A vocoder that has only met mels of recordings takes the blurred harmonics of generated ones for noise. From a state on
the way from noise to the recording's mel, the model goes on by itself: words, rhythm and pitch stay the recording's,
because the state tells them, and the rest has the model's own mistakes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.demo_voice import network
from training.demo_voice.corpus import Corpus
from training.demo_voice.learning import away_from
from training.demo_voice.records import log
from training.demo_voice.rows import MEL_FLOOR, SPACE
from workbench.engine.signal.mel import mel_spectrogram

_GAP = 5  # silent frames after a reference, as at inference
FROM = (0.2, 0.45)  # time of the state: before, the pitch is not the recording's, behind, no mistake is the model's
STEPS = (2, 6)
_MOST_FRAMES = 400


@torch.inference_mode()
def retrace(
    transformer: Any, reference: Tensor, mel: Tensor, ids: tuple[list[int], list[int]], start: float, n_steps: int
) -> Tensor:
    """`mel` as the model speaks it from time `start` on, guided, in steps as sway sampling makes them.

    Args:
        transformer: upstream's `DiT`. reference, mel: log mels f32 [frames, 100] of one voice.
        ids: characters of both.

    Returns:
        Log mel f32, of the shape of `mel`.
    """
    n_ref, n_frames = len(reference) + _GAP, len(reference) + _GAP + len(mel)
    whole = torch.cat([reference, torch.full((_GAP, mel.shape[1]), MEL_FLOOR), mel])[None]
    cond = whole.clone()
    cond[:, n_ref:] = 0
    tokens, n_chars = network.pad_tokens([[*ids[0], SPACE, *ids[1]]])
    dropped = torch.tensor([False, True])
    encoded = network.encode_characters(
        transformer.text_embed, tokens.expand(2, -1), n_chars.expand(2), torch.tensor([n_frames] * 2), dropped
    )
    text = network.upsample(encoded, n_chars.expand(2), n_frames)
    both = torch.cat([cond, torch.zeros_like(cond)])
    x = (1 - start) * torch.randn_like(whole) + start * whole
    first = math.acos(1 - start)
    times = [1 - math.cos(first + (math.pi / 2 - first) * k / n_steps) for k in range(n_steps + 1)]
    for now, until in pairwise(times):
        told, free = network.velocity(transformer, x.expand(2, -1, -1), both, text, torch.full((2,), now), 0)[0]
        x = x + (until - now) * away_from(free, told)[None]
    return x[0, n_ref:]


def retraced(
    transformer: Any, data: Corpus, kept: Sequence[tuple[int, np.ndarray]], count: int, seed: int
) -> list[tuple[np.ndarray, Tensor]]:
    """Audio f32 and retraced mel [frames, 100] of up to `count` of the utterances in `kept` (`corpus.kept_audio`)."""
    rng = random.Random(seed)
    mates = {i: [k for k in group if k != i] for group in data.groups for i in group}
    known = [(i, wave) for i, wave in kept if mates[i] and len(data.mel[i]) <= _MOST_FRAMES]
    torch.manual_seed(seed)
    found = []
    for i, wave in rng.sample(known, min(count, len(known))):
        other = rng.choice(mates[i])
        reference, mel = torch.from_numpy(data.mel[other].astype(np.float32)), torch.from_numpy(mel_spectrogram(wave))
        ids = data.ids[other].tolist(), data.ids[i].tolist()
        made = retrace(transformer, reference, mel, ids, rng.uniform(*FROM), rng.randint(*STEPS))
        found.append((wave, made.clone()))  # a tensor of inference mode cannot be trained on
        if len(found) % 100 == 0:
            log.info("retraced %d of %d", len(found), min(count, len(known)))
    return found
