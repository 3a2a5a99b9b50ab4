"""New text layers on an older voice: keep what it knows of sound, replace how it reads.

The blocks of a trained voice expect the text features they grew up with. A linear map from the new features to the old
ones, fitted by least squares on text alone, is folded into the input projection; both voices must have the same blocks.
Grafted on a voice of 55 % phone error, text layers that explain 63 % of the old features' variance gave 59 % before any
further training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.demo_voice import network
from training.demo_voice.texts import CHARACTERS, TextSource
from workbench.engine import upstream
from workbench.engine.catalog import read_config
from workbench.engine.model.weights import read_state


def load_backbone(folder: Path) -> tuple[Any, dict[str, int]]:
    """DiT and vocabulary of an exported voice."""
    upstream.install()
    from f5_tts.model import DiT

    _, arch, _ = read_config(folder / "config.yaml")
    characters = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    backbone = DiT(**arch, dropout=0.0, text_num_embeds=len(characters), mel_dim=100)
    weights = read_state(next(folder.glob("model_*.safetensors")))
    backbone.load_state_dict({k.removeprefix("ema_model.transformer."): v.float() for k, v in weights.items()})
    return backbone.eval(), {c: i for i, c in enumerate(characters)}


def take_text_layers(layers: Any, folder: Path) -> bool:
    """Copy the text layers of the voice in `folder` into `layers`, if they read the same characters and are as wide."""
    old, vocab = load_backbone(folder)
    theirs = old.text_embed.state_dict()
    fits = list(vocab) == list(CHARACTERS) and all(
        theirs[k].shape == v.shape if k in theirs else False for k, v in layers.state_dict().items()
    )
    if fits:
        layers.load_state_dict(theirs)
    return fits


def paired_features(
    new: Any, old: Any, old_vocab: dict[str, int], source: TextSource, texts: int
) -> tuple[Tensor, Tensor]:
    """Features of both text layers for the same characters, [n, new dim] and [n, old dim]; one text in six dropped."""
    xs, ys = [], []
    for k in range(texts):
        ids = network.tokens(source.utterance(source.rng.randint(4, 24)))
        theirs = [old_vocab.get(CHARACTERS[i], 0) for i in ids]
        frames = torch.tensor([int(len(ids) * source.rng.uniform(4.5, 6))])
        drop = torch.tensor([k % 6 == 0])
        for layers, row, found in ((new, ids, xs), (old, theirs, ys)):
            padded, n_chars = network.pad_tokens([row])
            found.append(network.encode_characters(layers, padded, n_chars, frames, drop)[0, : len(row)])
    return torch.cat(xs), torch.cat(ys)


@torch.no_grad()
def graft(transformer: Any, folder: Path, source: TextSource, texts: int = 600) -> float:
    """Give `transformer` the blocks of the voice in `folder`, keeping its own text layers.

    Returns:
        Share of the old features' variance that the new ones explain.
    """
    old, vocab = load_backbone(folder)
    x, y = paired_features(transformer.text_embed, old.text_embed, vocab, source, texts)
    x, y = torch.cat([x, torch.ones(len(x), 1)], 1).double(), y.double()
    fit = torch.linalg.solve(x.T @ x + 0.1 * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
    explained = 1 - float(((x @ fit - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())
    state = old.state_dict()
    weight = state.pop("input_embed.proj.weight")
    columns = weight[:, 200:].double()
    state["input_embed.proj.weight"] = torch.cat([weight[:, :200], (columns @ fit[:-1].T).float()], 1)
    state["input_embed.proj.bias"] = state["input_embed.proj.bias"] + (columns @ fit[-1]).float()
    state = {k: v for k, v in state.items() if not k.startswith("text_embed.")}
    state |= {k: v for k, v in transformer.state_dict().items() if k.startswith("text_embed.")}
    transformer.load_state_dict(state)
    return explained
