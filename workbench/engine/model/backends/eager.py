"""The eager backend: upstream's own forward pass, which works on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from workbench.engine.model.backends.base import CFG_OFF, Field
from workbench.engine.model.backends.graphs import Noting

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow


class Eager:
    """Evaluate upstream's backbone. Tests compare this backend with ``CFM.sample``."""

    name = "eager"
    recorded = "eager"
    usual_frames = ()

    def begin(self, flow: Flow) -> Field:
        """Return the field of ``flow`` with its text embedded."""
        return EagerField(flow)

    def decode(self, vocoder: Any, mel: torch.Tensor, noting: Noting) -> torch.Tensor:
        """See ``Backend``."""
        wave: torch.Tensor = vocoder.decode(mel.T[None])[0]
        return wave


class EagerField:
    """The velocity field of one chunk, with its embedded text in the backbone's cache of this thread."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.model = flow, flow.transformer
        self.guided = flow.cfg_strength >= CFG_OFF
        model, dtype = self.model, flow.dtype
        model.text_cond = model.text_embed(flow.text, flow.n_frames, drop_text=False).to(dtype)
        # the backbone uses its cache only if both embeddings are set, also without guidance
        model.text_uncond = (
            model.text_embed(flow.text, flow.n_frames, drop_text=True).to(dtype) if self.guided else model.text_cond
        )

    def plan(self, times: torch.Tensor) -> None:
        """Do nothing: each evaluation embeds its own time."""

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See ``Field``."""
        flow = self.flow
        common = {"x": x.to(flow.dtype), "cond": flow.cond, "text": flow.text, "time": t, "mask": None, "cache": True}
        if not self.guided:
            velocity: torch.Tensor = self.model(**common, drop_audio_cond=False, drop_text=False)
            return velocity.float()
        both: torch.Tensor = self.model(**common, cfg_infer=True)
        guided, free = both.float().chunk(2, dim=0)
        return guided + (guided - free) * flow.cfg_strength

    def close(self) -> None:
        """Clear the cache. Upstream clears it only after success, so the chunk after a cancelled one would speak the
        old text."""
        self.model.clear_cache()
