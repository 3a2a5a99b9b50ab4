"""The mel of a chunk and nothing else: no clock, report or lock, and any model and backend."""

from __future__ import annotations

from typing import Any

import torch

from workbench.engine.model.backends.base import Backend
from workbench.engine.model.loading import Loaded
from workbench.engine.model.sampling import Flow, solve, text_embedded
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import Chunk, conditioning_text
from workbench.engine.speech.voices import Voice


def bare_mel(
    loaded: Loaded, cfm: Any, backend: Backend, cond: torch.Tensor, voice: Voice, settings: SynthesisSettings,
    chunk: Chunk,
) -> torch.Tensor:  # fmt: skip
    """Return the mel of ``chunk`` [frames, n_mels], by ``cfm`` and ``backend``; ``cond`` is the reference's."""
    before, after = loaded.spec.frame
    with torch.inference_mode():
        tokens = loaded.tokens(before + conditioning_text(voice.ref_text) + chunk.text + after)
        flow = Flow(cfm, cond, tokens, chunk.duration_frames, settings.cfg_strength, backend)
        with text_embedded(flow):
            return solve(flow, settings, chunk.seed, voice.frames).mel
