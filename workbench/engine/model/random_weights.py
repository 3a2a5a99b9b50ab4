"""Models with random weights, to measure speed and loading without the real weights.

The time a model takes does not depend on its values. Layers that upstream initialises with zeros are filled
too, because the flow would be zero otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import yaml

from workbench.engine import upstream
from workbench.engine.catalog import RELEASED_VOCODER, ModelSpec, VocoderConfig, get_model, packaged_vocab
from workbench.engine.errors import SettingsError
from workbench.engine.files.writing import sha256_of
from workbench.engine.model.weights import build_cfm, build_vocoder, read_vocab


def fill(module: Any, seed: int) -> Any:
    """Fill every parameter of ``module`` with random values small enough for finite activations."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0, 0.5 / parameter[0].numel() ** 0.5, generator=generator)
            elif "norm" in name and name.endswith("weight"):
                parameter.fill_(1.0)
            else:
                parameter.normal_(0, 0.01, generator=generator)
    return module


def build(
    spec: ModelSpec, seed: int, vocoder_config: VocoderConfig = RELEASED_VOCODER, vocab: Path | None = None
) -> tuple[Any, Any]:
    """CFM and Vocos of the sizes of ``spec``, with random weights, on the CPU in fp32."""
    cfm = fill(build_cfm(spec, read_vocab(vocab or packaged_vocab())), seed)
    return cfm, fill(build_vocoder(vocoder_config), seed + 1)


def write_flat(
    spec: ModelSpec,
    folder: Path,
    *,
    seed: int = 0,
    vocoder_config: VocoderConfig = RELEASED_VOCODER,
    vocab: Path | None = None,
    suffix: str = ".safetensors",
) -> Path:
    """Write a random model into ``folder`` in the layout of the demo voice: model_random.*, vocab.txt, vocos/.

    ``suffix`` ".pt" writes a checkpoint as upstream's trainer does, with the EMA weights.
    """
    import torch
    from safetensors.torch import save_file

    upstream.install()
    cfm, vocoder = build(spec, seed, vocoder_config, vocab)
    (folder / "vocos").mkdir(parents=True, exist_ok=True)
    if suffix == ".safetensors":
        save_file(released_state(cfm), folder / "model_random.safetensors")
    else:
        torch.save({"ema_model_state_dict": released_state(cfm)}, folder / f"model_random{suffix}")
    (folder / "vocab.txt").write_bytes((vocab or packaged_vocab()).read_bytes())
    (folder / "vocos" / "config.yaml").write_text(yaml.safe_dump(vocoder_config.as_dict()), encoding="utf-8")
    torch.save(vocoder.state_dict(), folder / "vocos" / "pytorch_model.bin")
    return folder


def released_state(cfm: Any) -> dict[str, Any]:
    """The weights of ``cfm`` under the names of the released safetensors files."""
    return {f"ema_model.{key}": value.contiguous() for key, value in cfm.state_dict().items()}


def add_to_hub_cache(hub: Path, repo: str, files: dict[str, Path]) -> str:
    """Move ``files`` (name in the repository to local path) into the Hugging Face cache ``hub``, as a download would.

    Returns:
        The made-up commit, 40 hex digits, that ``refs/main`` points to.
    """
    root = hub / f"models--{repo.replace('/', '--')}"
    digests = {name: sha256_of(path) for name, path in files.items()}
    commit = hashlib.sha1(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    (root / "blobs").mkdir(parents=True, exist_ok=True)
    (root / "refs").mkdir(exist_ok=True)
    for name, path in files.items():
        blob = root / "blobs" / digests[name]
        if not blob.exists():
            path.rename(blob)
        link = root / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            try:
                link.symlink_to(os.path.relpath(blob, link.parent))
            except (OSError, NotImplementedError):  # a disk without links: the Hub's client puts the file itself there
                os.replace(blob, link)
    (root / "refs" / "main").write_text(commit)
    return commit


def add_random_model(model: str, hub: Path) -> dict[str, str]:
    """Write ``model`` with random weights into the Hugging Face cache ``hub``, under the released names.

    For measuring how long loading takes at full size: 1.4 GB for the Base models.

    Returns:
        Repository to made-up commit.

    Raises:
        SettingsError: the model has no repository of its own.
    """
    import tempfile

    from workbench.engine.model.random_weights import add_to_hub_cache, write_flat

    spec = get_model(model)
    if not spec.repo or not spec.weights or spec.not_runnable:
        raise SettingsError(f"{spec.name} has no released weights to imitate.", remedy="Choose F5TTS_v1_Base, say.")
    hub.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=hub) as folder:
        made = write_flat(spec, Path(folder), suffix=Path(spec.weights).suffix)
        files = {spec.weights: next(made.glob("model_random.*"))}
        if spec.vocab:
            files[spec.vocab] = made / "vocab.txt"
        commits = {spec.repo: add_to_hub_cache(hub, spec.repo, files)}
        if spec.vocoder_repo:
            parts = {name: made / "vocos" / name for name in ("config.yaml", "pytorch_model.bin")}
            commits[spec.vocoder_repo] = add_to_hub_cache(hub, spec.vocoder_repo, parts)
    return commits
