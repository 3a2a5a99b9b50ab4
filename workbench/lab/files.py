"""Prepare the cache of the lab's cells: the model's own files, or random weights, in the Hub's layout."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.engine import cache
from workbench.engine.catalog import VOCODER_REPO, ModelFiles, ModelSpec, get_model, read_vocoder
from workbench.engine.errors import SettingsError, WeightsError
from workbench.engine.model.loading import load_vocoder
from workbench.engine.model.random_weights import add_to_hub_cache
from workbench.engine.timing import Timeline

# where upstream looks for its acoustic model; used for models without a repository of their own
_REPO, _WEIGHTS = "SWivid/F5-TTS", "F5TTS_v1_Base/model_1250000"


def prepare(model: str, hub: Path) -> dict[str, Any]:
    """Fill ``hub``, a folder in the Hugging Face layout, with acoustic model and vocoder under the Hub's names.

    The files are links to those on this machine. A released model that is absent gets random weights: reading, building
    and speaking take the same time.

    Returns:
        ``repo`` and ``weights`` (a file in it) of the acoustic model, ``random_weights``, ``weights_bytes``.

    Raises:
        SettingsError: the model is absent and random weights cannot replace it.
    """
    spec = get_model(model)
    try:
        files = cache.resolve(spec)
    except WeightsError as error:
        if not spec.repo or not spec.weights or spec.not_runnable:
            raise SettingsError(f"{model} cannot be run here.", remedy=error.remedy) from error
        from workbench.engine.model.random_weights import add_random_model

        add_random_model(spec.name, hub)
        return _described(spec.repo, spec.weights, hub, random_weights=True)
    hub.mkdir(parents=True, exist_ok=True)
    repo = spec.repo or _REPO
    weights = spec.weights if spec.repo and spec.weights else _WEIGHTS + files.weights.suffix
    in_repo = {weights: _link(files.weights, hub / "weights")}
    if spec.repo and spec.vocab:
        in_repo[spec.vocab] = _link(files.vocab, hub / "vocab")
    add_to_hub_cache(hub, repo, in_repo)
    add_to_hub_cache(hub, VOCODER_REPO, _vocoder_as_released(spec, files, hub))
    return _described(repo, weights, hub, random_weights=False)


def _link(path: Path, to: Path) -> Path:
    """Make ``to`` a link to ``path``, or a copy on a disk without links."""
    try:
        to.symlink_to(path.resolve())
    except (OSError, NotImplementedError):
        shutil.copyfile(path, to)
    return to


def _vocoder_as_released(spec: ModelSpec, files: ModelFiles, hub: Path) -> dict[str, Path]:
    """Write config.yaml and pytorch_model.bin of the vocoder, as ``Vocos.from_pretrained`` expects them.

    Both are written from the checked configuration: vocos would build any class that a configuration names.
    """
    import torch
    import yaml

    config, weights = hub / "config.yaml", hub / "pytorch_model.bin"
    config.write_text(yaml.safe_dump(read_vocoder(files.vocoder_config).as_dict()), encoding="utf-8")
    torch.save(load_vocoder(replace(spec, name="lab"), files, Timeline()).state_dict(), weights)
    return {"config.yaml": config, "pytorch_model.bin": weights}


def _described(repo: str, weights: str, hub: Path, *, random_weights: bool) -> dict[str, Any]:
    root = hub / f"models--{repo.replace('/', '--')}"
    commit = (root / "refs" / "main").read_text(encoding="utf-8")
    size = (root / "snapshots" / commit / weights).stat().st_size
    return {"repo": repo, "weights": weights, "random_weights": random_weights, "weights_bytes": size}
