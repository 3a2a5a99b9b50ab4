"""Entries of imported models and recognisers, from what their own folders say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.engine.catalog.configs import imported_folder, read_config
from workbench.engine.catalog.plain import first_line, read_json
from workbench.engine.catalog.recognisers import RECOGNISER_KIND, RecogniserSpec
from workbench.engine.catalog.spec import DEMO_VOICE, VOCODER_REPO, ModelSpec
from workbench.engine.errors import WeightsError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.settings import WEIGHTS, MelConfig
from workbench.engine.visible import quoted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


_MAX_WORDS = 4_000  # characters


def _words(about: dict[str, Any], key: str, default: str) -> str:
    """A text in a lock.json without unprintable characters. Raises ValueError for another type."""
    value = about.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} is {quoted(value)}")
    return "".join(c for c in value[:_MAX_WORDS] if c.isprintable())


def _imported(folder: Path) -> ModelSpec | RecogniserSpec:
    """The entry of an imported model or recogniser, from its lock.json; of a model, from its config.yaml too.

    Raises:
        OSError, ValueError, WeightsError: one of the two cannot be read, or holds a value that no import writes.
    """
    about = read_json(folder / "lock.json")
    name, weights = _words(about, "model", ""), _words(about, "weights", "")
    if name != folder.name or not NAME.fullmatch(name) or name.lower() == DEMO_VOICE:
        raise ValueError(f"model is {quoted(name)}, and the folder {quoted(folder.name)}")
    if weights != Path(weights).name or "\\" in weights:
        raise ValueError(f"weights is {quoted(weights)}")
    languages, own_vocoder = about.get("languages", []), about.get("own_vocoder", False)
    if not isinstance(languages, list) or not isinstance(own_vocoder, bool):
        raise ValueError(f"languages is {quoted(languages)} and own_vocoder {quoted(own_vocoder)}")
    spoken = tuple(_words({"language": item}, "language", "") for item in languages)
    if about.get("kind") == RECOGNISER_KIND:
        return RecogniserSpec(
            name,
            _words(about, "title", name),
            _words(about, "license", "unknown"),
            (folder / "model.bin").stat().st_size if (folder / "model.bin").is_file() else 0,
            spoken,
            kind="imported",
            folder=folder,
            note=_words(about, "note", ""),
        )
    layers, layer = about.get("layers", []), about.get("layer", "auto")
    if not isinstance(layers, list) or any(kind not in WEIGHTS for kind in [*layers, layer]):
        raise ValueError(f"layers is {quoted(layers)} and layer {quoted(layer)}")
    backbone, arch, mel = read_config(folder / "config.yaml")
    return ModelSpec(
        name,
        _words(about, "title", name),
        backbone,
        arch,
        mel,
        _words(about, "license", "unknown"),
        spoken,
        kind="imported",
        folder=folder,
        weights=weights,
        vocab="vocab.txt",
        vocoder_repo=None if own_vocoder else VOCODER_REPO,
        note=_words(about, "note", ""),
        layers=tuple(layers),
        layer=layer,
    )


def _damaged(folder: Path, reason: str) -> ModelSpec:
    """The entry of an import with a damaged description, under the name of its folder."""
    name = folder.name if folder.name.lower() != DEMO_VOICE else f"imported-{folder.name}"
    return ModelSpec(
        name,
        name,
        "DiT",
        {},
        MelConfig(),
        "unknown",
        (),
        kind="imported",
        folder=folder,
        vocab="vocab.txt",
        vocoder_repo=None,
        not_runnable=f"Its description is damaged: {reason}",
    )


def imports() -> list[ModelSpec | RecogniserSpec]:
    """Entries of all imports. One with a damaged description has the reason in ``not_runnable``."""
    try:
        folders = sorted(
            p for p in imported_folder().iterdir() if not p.name.startswith(".") and not is_clutter(p.name)
        )
    except OSError:
        return []
    entries: list[ModelSpec | RecogniserSpec] = []
    for folder in folders:
        try:
            entries.append(_imported(folder))
        except OSError as error:
            absent = isinstance(error, FileNotFoundError | NotADirectoryError)
            if absent and not folder.is_dir() and not folder.is_symlink():
                continue  # a plain file, or a folder that was deleted just now
            entries.append(_damaged(folder, f"{folder / 'lock.json'} cannot be read ({error.strerror or error})."))
        except ValueError as error:
            entries.append(_damaged(folder, f"{folder / 'lock.json'}: {first_line(error)}."))
        except WeightsError as error:
            entries.append(_damaged(folder, error.what))
    return entries
