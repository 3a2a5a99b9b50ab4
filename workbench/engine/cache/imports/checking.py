"""Check that the files of an import form a model, before anything is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.headers import Header, file_problem, read_header
from workbench.engine.cache.imports.architecture import contradictions, describe, refuse_foreign, vocoder_contradictions
from workbench.engine.cache.imports.checkpoints import read_checkpoint
from workbench.engine.cache.imports.folders import FolderFiles, find_in_folder, find_vocoder_in
from workbench.engine.cache.imports.vocab import Vocabulary, read_vocabulary, refuse_unusable
from workbench.engine.cache.paths import repo_folder
from workbench.engine.catalog import (
    RELEASED_VOCODER,
    VOCODER_REPO,
    ModelSpec,
    describes_a_model,
    get_model,
    list_models,
    packaged_vocab,
    read_config,
    read_vocoder,
    template,
    templates,
)
from workbench.engine.errors import ImportRefused, ModelError, WeightsError
from workbench.engine.files.places import user_path
from workbench.engine.files.writing import human_bytes
from workbench.engine.settings import MelConfig


@dataclass(frozen=True)
class Examined:
    """What the checks found: files, configuration, vocabulary, vocoder, and notes for the user."""

    files: FolderFiles
    backbone: str
    arch: dict[str, Any]
    mel: MelConfig
    vocabulary: Vocabulary
    own_vocoder: tuple[Path, Path] | None
    notes: tuple[str, ...]


def known_model(files: FolderFiles) -> ModelSpec | None:
    """The catalogue entry that the layout names: ``<Name>.safetensors``, ``<Name>/``, ``models--owner--name``."""
    entries = [s for s in list_models() if s.kind in ("released", "community") and not s.not_runnable]
    names = {files.weights.stem.lower(), files.weights.parent.name.lower()}
    for spec in entries:
        path = spec.weights or ""
        from_hub = any(p.name == repo_folder(Path(), str(spec.repo)).name for p in files.weights.parents)
        if spec.name.lower() in names or (from_hub and files.weights.as_posix().endswith("/" + path)):
            return spec
    return None


def _configuration(config: str | Path | None, files: FolderFiles) -> tuple[str, dict[str, Any], MelConfig, str]:
    """(backbone, arch, mel, source of the configuration). Raises ImportRefused if none is stated; never guesses."""
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
    unusable = ""
    if files.config is not None:
        try:
            described = describes_a_model(files.config)
        except WeightsError as error:  # another tool's config.yaml; the layout may still name the model
            described, unusable = False, f" {error.what}"
        if described:
            return *read_config(files.config), f"{files.config.name} beside the weights"
    known = known_model(files)
    if known is not None:
        return known.backbone, dict(known.arch), known.mel, f"the name {known.name} in the layout"
    raise ImportRefused(
        f"The configuration of {files.weights.name} is not stated.{unusable}",
        remedy="Name it with "
        f"config=: {', '.join(templates())}. Versions 0 and 1 have the same tensors; the wrong one sounds wrong.",
    )


def _read_weights(path: Path) -> tuple[Header, list[str]]:
    """(header, notes). Raises WeightsError if cut short, ImportRefused if unsafe or of another model."""
    notes: list[str] = []
    problem = file_problem(path)
    if "Git LFS pointer" in problem:
        raise ImportRefused(f"{path} {problem}.", remedy="Run `git lfs pull` in that folder and import again.")
    if path.suffix == ".safetensors":
        header = read_header(path)
    else:
        checkpoint = read_checkpoint(path)
        header = checkpoint.header
        if checkpoint.has_optimizer:
            notes.append(
                f"A training checkpoint: much of its {human_bytes(path.stat().st_size)} is optimizer state that "
                "speaking does not need."
            )
    refuse_foreign(header, path.name)
    return header, notes


def _vocoder(given: str | Path | None, files: FolderFiles, mel: MelConfig) -> tuple[Path, Path] | None:
    """(config, weights) of the vocoder, checked against each other and ``mel``; None: take the Hub's vocoder."""
    pair = files.vocoder
    if given is not None:
        pair = find_vocoder_in(user_path(given, "The vocoder"))
        if pair is None:
            raise ImportRefused(
                f"{given} holds no Vocos (config.yaml with model.safetensors or pytorch_model.bin).",
                remedy="Give the folder of the vocoder.",
            )
    if pair is None:
        RELEASED_VOCODER.check_fits(mel, Path(VOCODER_REPO))
        return None
    for path in pair:
        problem = file_problem(path)
        if problem:
            raise ImportRefused(f"The vocoder's {path} {problem}.", remedy="Copy it again.")
    config = read_vocoder(pair[0])
    config.check_fits(mel, pair[0])
    header = read_header(pair[1]) if pair[1].suffix == ".safetensors" else read_checkpoint(pair[1]).header
    wrong = vocoder_contradictions(header, config)
    if wrong:
        raise ImportRefused(
            f"{pair[1]} is of another architecture than its config.yaml: {'; '.join(wrong)}.",
            remedy="Put the config.yaml of that vocoder beside it.",
        )
    return pair


def examine(path: Path, config: str | Path | None, vocoder: str | Path | None, name: str | None) -> Examined:
    """Find the files of the import in ``path`` and check that they fit each other."""
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
    refuse_unusable(vocabulary, vocab)
    rows = describe(header)["vocabulary"]
    if rows != len(vocabulary.tokens):
        which = f"{vocab.name} has" if files.vocab else "there is no vocabulary beside it, and the one of f5_tts has"
        raise ImportRefused(
            f"{files.weights.name} was trained with {rows} tokens, but {which} {len(vocabulary.tokens)}.",
            remedy="Put the right vocab.txt beside the weights.",
        )
    notes += [f"Configuration: {stated}.", *vocabulary.repairs]
    if files.vocab is None:
        notes.append("No vocabulary beside the weights; the one of f5_tts is used, which has the right length.")
    own = _vocoder(vocoder, files, mel)
    notes += [] if own else ["No vocoder beside the weights; charactr/vocos-mel-24khz from the caches is used."]
    return Examined(files, backbone, arch, mel, vocabulary, own, tuple(notes))


def entry_called(name: str) -> ModelSpec | None:
    """The released or community entry ``name``, whose configuration is then used; None if there is none."""
    try:
        spec = get_model(name)
    except ModelError:
        return None
    return spec if spec.kind in ("released", "community") and spec.arch and spec.name.lower() == name.lower() else None
