"""Small random DiTs in all of upstream's variants, and one evaluation of them by upstream and by a backend."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from workbench.engine.catalog import ModelSpec
from workbench.engine.model.random_weights import fill
from workbench.engine.model.sampling import Flow, text_embedded
from workbench.engine.model.weights import build_cfm
from workbench.engine.settings import MelConfig

ARCH = {"dim": 64, "depth": 2, "heads": 2, "dim_head": 32, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
VARIANTS: dict[str, dict[str, Any]] = {
    "v1": {"text_mask_padding": True},
    "v0": {"text_mask_padding": False, "pe_attn_head": 1},
    "demo voice": {"text_mask_padding": True, "text_embedding_average_upsampling": True},
    "qk_norm": {"text_mask_padding": True, "qk_norm": "rms_norm", "pe_attn_head": 1},
    "long skip": {"text_mask_padding": True, "long_skip_connection": True},
    "no text blocks": {"text_mask_padding": True, "conv_layers": 0},
    "other sizes": {"text_mask_padding": True, "dim": 96, "heads": 3, "dim_head": 16, "ff_mult": 3, "text_dim": 48},
}
WORDS = "some call me nature, others call me mother nature. "


def cfm(variant: str = "v1", dtype: torch.dtype = torch.float32) -> Any:
    """Upstream's CFM of the variant with random weights in ``dtype``, as ``load`` casts them."""
    from workbench.engine.model.loading import _set_dtype

    spec = ModelSpec("small", "Small", "DiT", ARCH | VARIANTS[variant], MelConfig(), "MIT", ("en",), kind="imported")
    found = build_cfm(dataclasses.replace(spec), {character: i for i, character in enumerate(sorted(set(WORDS)))})
    fill(found, 3)
    if variant == "qk_norm":  # a norm of ones would hide a weight that is left out
        for name, parameter in found.named_parameters():
            if "q_norm" in name or "k_norm" in name:
                parameter.data.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    _set_dtype(found, {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype])
    return found


def flow(model: Any, frames: int, strength: float, backend: Any = None, ref_frames: int = 40) -> Flow:
    """A chunk of ``frames`` frames."""
    cond = torch.randn(ref_frames, 100, generator=torch.Generator().manual_seed(frames))
    return Flow(model, cond.to(model.transformer.proj_out.weight.device), list(WORDS), frames, strength, backend)


def evaluated(model: Any, frames: int, strength: float, backend: Any = None, t: float = 0.37) -> torch.Tensor:
    """The velocity at one time and state."""
    chunk = flow(model, frames, strength, backend)
    x = torch.randn(1, chunk.n_frames, 100, generator=torch.Generator().manual_seed(frames + 1))
    with torch.inference_mode(), text_embedded(chunk):
        return chunk(torch.tensor(t), x)
