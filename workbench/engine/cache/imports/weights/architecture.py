"""Derive the sizes of a model or vocoder from the names and shapes in a weights file, and compare a configuration.

Version 0 and version 1 have the same tensors: a configuration is always named, never inferred.
"""

from __future__ import annotations

import re
from typing import Any

from workbench.engine.cache.headers import Header
from workbench.engine.catalog import VocoderConfig
from workbench.engine.errors import ImportRefused
from workbench.engine.visible import shorten, visible

_MLX = re.compile(r"\b(time_mlp|conv1d|text_blocks|ff|to_out)\.layers\.\d")
_DEFAULTS = {"depth": 8, "heads": 8, "dim_head": 64, "ff_mult": 4, "conv_layers": 0, "qk_norm": None}


def refuse_foreign(header: Header, name: str) -> None:
    """Raise ImportRefused for weights of another framework or another kind of model."""
    if any(_MLX.search(key) or key.endswith((".scales", ".biases")) for key in header.tensors):
        raise ImportRefused(
            f"{name} holds MLX weights (f5-tts-mlx), whose tensors are named and laid out differently.",
            remedy="Take the PyTorch weights of the same model, such as SWivid/F5-TTS.",
        )
    if not any("text_embed.text_embed.weight" in key for key in header.tensors):
        example = shorten(visible(next(iter(header.tensors), "nothing")))
        raise ImportRefused(
            f"{name} is not an F5-TTS or E2-TTS model: it has no text embedding (it holds {example}, ...).",
            remedy="Give the acoustic model's file.",
        )


def describe(header: Header) -> dict[str, Any]:
    """Backbone and sizes by the names and shapes of the tensors; None for a value that they do not determine."""
    tensors = {
        key.removeprefix("ema_model.").removeprefix("transformer."): info.shape for key, info in header.tensors.items()
    }

    def size(pattern: str, axis: int) -> int | None:
        shape = next((s for k, s in tensors.items() if re.fullmatch(pattern, k)), ())
        return shape[axis] if len(shape) > axis else None

    def count(pattern: str) -> int:
        return len({m.group(1) for key in tensors if (m := re.match(pattern, key))})

    dit = count(r"transformer_blocks\.(\d+)\.")
    dim, inner = (
        size(r"input_embed\.proj\.weight", 0),
        size(r".*\.0(\.\d+)?\.ff\.0\.0\.weight|.*\bff\.ff\.0\.0\.weight", 0),
    )
    rows = size(r"text_embed\.text_embed\.weight", 0)
    return {
        "backbone": "DiT" if dit else "UNetT",
        "depth": dit or count(r"layers\.(\d+)\."),
        "dim": dim,
        "text_dim": size(r"text_embed\.text_embed\.weight", 1),
        "conv_layers": count(r"text_embed\.text_blocks\.(\d+)\."),
        "attention": size(r".*\.to_q\.weight", 0),
        "ff_mult": inner / dim if inner and dim else None,
        "mel_channels": size(r"proj_out\.weight", 0),
        "vocabulary": rows - 1 if rows else None,
        "qk_norm": any(".q_norm." in key for key in tensors),
    }


def contradictions(header: Header, backbone: str, arch: dict[str, Any], mel_channels: int) -> list[str]:
    """Differences between the tensors and those of ``backbone(**arch)``, one phrase each; empty if they fit."""
    found, given = describe(header), _DEFAULTS | arch
    wanted = {
        "backbone": backbone,
        "depth": given["depth"],
        "dim": given.get("dim"),
        "text_dim": given.get("text_dim") or mel_channels,
        "conv_layers": given["conv_layers"],
        "attention": given["heads"] * given["dim_head"],
        "ff_mult": float(given["ff_mult"]),
        "mel_channels": mel_channels,
        "qk_norm": given["qk_norm"] is not None,
    }
    return [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]


def vocoder_contradictions(header: Header, config: VocoderConfig) -> list[str]:
    """Differences between the tensors and those of a Vocos of ``config``, one phrase each; empty if they fit."""
    wanted = {
        "backbone.embed.weight": (config.dim, config.n_mels, 7),
        "backbone.convnext.0.pwconv1.weight": (config.intermediate_dim, config.dim),
        f"backbone.convnext.{config.num_layers - 1}.gamma": (config.dim,),
        f"backbone.convnext.{config.num_layers}.gamma": None,
        "head.out.weight": (config.n_fft + 2, config.dim),
    }
    return [
        f"{name} is {header.shape(name) or 'missing'}, not {shape or 'there'}"
        for name, shape in wanted.items()
        if header.shape(name) != shape
    ]
