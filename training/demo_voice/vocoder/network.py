"""The small Vocos: classes of the package `vocos`, whose feature extractor is not used; mels are upstream's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.engine.catalog import VocoderConfig, read_vocoder
from workbench.engine.model.weights import vocos_of

CONFIG = VocoderConfig(dim=256, intermediate_dim=768, num_layers=8)


def build_vocos(config: VocoderConfig | None = None) -> Any:
    """A Vocos of ``config`` (by default CONFIG) with initialised weights."""
    return vocos_of(config or CONFIG)


def load_vocoder(folder: Path) -> Any:
    """Vocos from an exported folder, in eval mode, exactly as saved."""
    from safetensors.torch import load_file

    vocos = build_vocos(read_vocoder(folder / "vocos" / "config.yaml"))
    weights = load_file(folder / "vocos" / "model.safetensors")
    vocos.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    return vocos.eval()
