"""Do the files that a user has make a model? Everything is settled here before the first byte is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.architecture import contradictions, refuse_foreign
from workbench.engine.cache.checkpoints import read_checkpoint
from workbench.engine.cache.folders import FolderFiles, find_in_folder, find_vocoder_in
from workbench.engine.cache.headers import Header, file_problem, read_header
from workbench.engine.cache.paths import human_bytes, repo_folder
from workbench.engine.cache.vocab import Vocabulary, read_vocabulary
from workbench.engine.catalog import (
    ModelSpec,
    get_model,
    list_models,
    packaged_vocab,
    read_config,
    template,
    templates,
)
from workbench.engine.errors import ImportRefused, ModelError, WeightsError
from workbench.engine.settings import MelConfig, user_path


@dataclass(frozen=True)
class Examined:
    """Everything about the import that was settled before the first byte is copied."""

    files: FolderFiles
    backbone: str
    arch: dict[str, Any]
    mel: MelConfig
    vocabulary: Vocabulary
    own_vocoder: tuple[Path, Path] | None
    notes: tuple[str, ...]


def known_model(files: FolderFiles) -> ModelSpec | None:
    """The catalogue's entry that the layout names: ``<Name>.safetensors``, ``<Name>/``, ``models--owner--name``."""
    entries = [s for s in list_models() if s.kind in ("released", "community") and not s.not_runnable]
    names = {files.weights.stem.lower(), files.weights.parent.name.lower()}
    for spec in entries:
        path = spec.weights or ""
        from_hub = any(p.name == repo_folder(Path(), str(spec.repo)).name for p in files.weights.parents)
        if spec.name.lower() in names or (from_hub and files.weights.as_posix().endswith("/" + path)):
            return spec
    return None


def _configuration(config: str | Path | None, files: FolderFiles) -> tuple[str, dict[str, Any], MelConfig, str]:
    """(backbone, arch, mel, where that was stated). Raises ImportRefused if nothing states it: it is never guessed."""
    if config is not None:
        if Path(config).suffix in (".yaml", ".yml"):
            return *read_config(Path(config)), str(config)
        try:
            return *template(str(config)), str(config)
        except ModelError as error:
            raise ImportRefused(
                f"There is no configuration {config!r}.",
                remedy=f"Known: {', '.join(templates())}, the "
                "name of a model in the catalogue, or a .yaml file in upstream's layout.",
            ) from error
    if files.config is not None:
        try:
            return *read_config(files.config), f"{files.config.name} beside the weights"
        except WeightsError:
            pass  # some other config.yaml; the layout's own name may still tell
    known = known_model(files)
    if known is not None:
        return known.backbone, dict(known.arch), known.mel, f"the name {known.name} in the layout"
    raise ImportRefused(
        f"Nothing says which configuration {files.weights.name} was trained with.",
        remedy="Name it with "
        f"config=: {', '.join(templates())}. Version 0 and version 1 look alike and sound wrong if mixed up.",
    )


def _read_weights(path: Path) -> tuple[Header, list[str]]:
    """Header and notes. Raises WeightsError if cut short, ImportRefused if unsafe or foreign."""
    problem = file_problem(path)
    if "Git LFS pointer" in problem:
        raise ImportRefused(f"{path} {problem}.", remedy="Run `git lfs pull` in that folder and import again.")
    if path.suffix == ".safetensors":
        header, notes = read_header(path), []
    else:
        checkpoint = read_checkpoint(path)
        header, notes = checkpoint.header, []
        if checkpoint.has_optimizer:
            notes.append(
                f"A training checkpoint: much of its {human_bytes(path.stat().st_size)} is optimizer state that "
                "speaking does not need."
            )
    refuse_foreign(header, path.name)
    return header, notes


def _vocoder(given: str | Path | None, files: FolderFiles) -> tuple[Path, Path] | None:
    """The vocoder's two files, checked; None: take the one of the Hub from the caches."""
    pair = files.vocoder
    if given is not None:
        pair = find_vocoder_in(user_path(given, "The vocoder"))
        if pair is None:
            raise ImportRefused(
                f"{given} holds no Vocos (config.yaml with model.safetensors or pytorch_model.bin).",
                remedy="Give the folder of the vocoder.",
            )
    for path in pair or ():
        problem = file_problem(path)
        if problem:
            raise ImportRefused(f"The vocoder's {path} {problem}.", remedy="Copy it again.")
        if path.suffix == ".bin":
            read_checkpoint(path)
    return pair


def examine(path: Path, config: str | Path | None, vocoder: str | Path | None, name: str | None) -> Examined:
    """Find the files and check that they belong together."""
    by_name = entry_called(name) if name else None
    files = find_in_folder(path, by_name)
    header, notes = _read_weights(files.weights)
    if config is None and by_name is not None:
        backbone, arch, mel, stated = by_name.backbone, dict(by_name.arch), by_name.mel, by_name.name
    else:
        backbone, arch, mel, stated = _configuration(config, files)
    wrong = contradictions(header, backbone, arch, mel.n_mel_channels)
    if wrong:
        raise ImportRefused(
            f"{files.weights.name} is of another architecture than {stated}: {'; '.join(wrong)}.",
            remedy="Name the configuration that it was trained with.",
        )
    vocab = files.vocab or packaged_vocab()
    vocabulary = read_vocabulary(vocab)
    rows = (next(t.shape[0] for k, t in header.tensors.items() if "text_embed.text_embed.weight" in k)) - 1
    if rows != len(vocabulary.tokens):
        which = f"{vocab.name} has" if files.vocab else "there is no vocabulary beside it, and the one of f5_tts has"
        raise ImportRefused(
            f"{files.weights.name} was trained with {rows} tokens, but {which} {len(vocabulary.tokens)}.",
            remedy="Put the right vocab.txt beside the weights.",
        )
    notes += [f"Configuration: {stated}.", *vocabulary.repairs]
    if files.vocab is None:
        notes.append("No vocabulary beside the weights; that of f5_tts was taken, which has the right length.")
    own = _vocoder(vocoder, files)
    notes += [] if own else ["No vocoder beside the weights; charactr/vocos-mel-24khz is taken from the caches."]
    return Examined(files, backbone, arch, mel, vocabulary, own, tuple(notes))


def entry_called(name: str) -> ModelSpec | None:
    """A catalogue entry of that very name, whose own configuration then counts."""
    try:
        spec = get_model(name)
    except ModelError:
        return None
    return spec if spec.kind in ("released", "community") and spec.arch and spec.name.lower() == name.lower() else None
