"""Upstream's own forward pass, operation by operation: slow, exact, and at home on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from workbench.engine.model.backends.base import CFG_OFF

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow


class Eager:
    """Calls upstream's backbone. Parity with ``CFM.sample`` is tested with this one."""

    name = "eager"
    recorded = "eager"

    def begin(self, flow: Flow) -> EagerField:
        """The field of ``flow``, its text embedded."""
        return EagerField(flow)


class EagerField:
    """The velocity of one chunk by upstream's backbone, with the text in the cache that it reads on this thread."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.model = flow, flow.transformer
        self.guided = flow.cfg_strength >= CFG_OFF
        model, dtype = self.model, flow.dtype
        model.text_cond = model.text_embed(flow.text, flow.n_frames, drop_text=False).to(dtype)
        # without guidance the unconditional embedding is never read, but the cache is only used if both are set
        model.text_uncond = (
            model.text_embed(flow.text, flow.n_frames, drop_text=True).to(dtype) if self.guided else model.text_cond
        )

    def plan(self, times: torch.Tensor) -> None:
        """Nothing is prepared: each evaluation embeds its own time."""

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
        """Clear the cache. Upstream does so only after success: after a cancelled chunk the next would speak the old
        text."""
        self.model.clear_cache()
