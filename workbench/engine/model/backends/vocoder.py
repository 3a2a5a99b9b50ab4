"""The vocoder's backbone in lengths that many chunks share, so that a recorded graph serves them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from workbench.engine.model.backends.graphs import Graphs, Noting

BUCKET = 256  # frames
LONGEST = 4096  # a longer mel is decoded as it is: a graph of it would take much memory and hardly save time


def decoded(vocoder: Any, mel: torch.Tensor, graphs: Graphs, noting: Noting) -> torch.Tensor | None:
    """Return the wave of ``mel`` [frames, n_mels], [samples]; None if no graph can compute it.

    The head, an inverse STFT, runs at the exact length. Only Vocos's ConvNeXt backbone fits: in it, nothing but the
    convolutions sees other frames.
    """
    from vocos.models import VocosBackbone

    frames, backbone = len(mel), vocoder.backbone
    if frames > LONGEST or type(backbone) is not VocosBackbone or backbone.adanorm:
        return None
    whole = -(-frames // BUCKET) * BUCKET
    valid = (torch.arange(whole, device=mel.device) < frames).to(mel.dtype)
    inputs = F.pad(mel.T[None], (0, whole - frames)), valid
    features = graphs.computed(("vocoder", backbone, whole), inputs, partial(_features, backbone), noting)
    if features is None:
        return None
    wave: torch.Tensor = vocoder.head(features[:, :frames])[0]
    return wave


def _features(backbone: Any, mel: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """The backbone's output [1, frames, dim]. ``mel`` [1, n_mels, frames] is zero where ``valid`` [frames] is.

    A convolution sees zeros beyond the edges of a mel; so it does here, where each block gets zeros beyond them.
    """
    x = backbone.norm(backbone.embed(mel).transpose(1, 2)).transpose(1, 2)
    for block in backbone.convnext:
        x = block(x * valid)
    found: torch.Tensor = backbone.final_layer_norm(x.transpose(1, 2))
    return found
