"""Check that the files of an import form a model, before anything is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.headers import file_problem
from workbench.engine.cache.imports.contents import Contents, read_contents
from workbench.engine.cache.imports.folders import FolderFiles, find_in_folder, find_vocoder_in
from workbench.engine.cache.imports.vocab import Vocabulary, read_vocabulary, refuse_unusable
from workbench.engine.cache.imports.weights.architecture import refuse_foreign, vocoder_contradictions
from workbench.engine.cache.imports.weights.fitting import Refusal, misfit, wrong_vocabulary
from workbench.engine.cache.imports.weights.layers import VOCODER, Layers
from workbench.engine.cache.links import followed
from workbench.engine.cache.paths import repo_folder, why_picked
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
    """What the checks found: files, configuration, vocabulary, vocoder, weights and which of them are taken, notes."""

    files: FolderFiles
    backbone: str
    arch: dict[str, Any]
    mel: MelConfig
    vocabulary: Vocabulary
    own_vocoder: tuple[Path, Path] | None
    layers: Layers
    taken: str
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
            described = describes_a_model(followed(files.config))
        except WeightsError as error:  # another tool's config.yaml; the layout may still name the model
            described, unusable = False, f" {error.what}"
        if described:
            return *read_config(followed(files.config)), f"{files.config.name} beside the weights"
    known = known_model(files)
    if known is not None:
        return known.backbone, dict(known.arch), known.mel, f"the name {known.name} in the layout"
    raise ImportRefused(
        f"The configuration of {files.weights.name} is not stated.{unusable}",
        remedy="Name it with "
        f"config=: {', '.join(templates())}. Versions 0 and 1 have the same tensors; the wrong one sounds wrong.",
    )


def _read_weights(path: Path) -> tuple[Contents, list[str]]:
    """(contents, notes). Raises WeightsError if cut short, ImportRefused if unsafe or of another model."""
    notes: list[str] = []
    problem = file_problem(followed(path))
    if "Git LFS pointer" in problem:
        raise ImportRefused(f"{path} {problem}.", remedy="Run `git lfs pull` in that folder and import again.")
    if problem.startswith("is a "):  # something else under this name; what is damaged is told by its reader
        raise WeightsError(f"{path} {problem}.", remedy="Fetch or copy the file again.")
    contents = read_contents(path)
    if contents.has_optimizer:
        notes.append(
            f"A training checkpoint: much of its {human_bytes(contents.header.n_bytes)} is optimizer state that "
            "speaking does not need."
        )
    refuse_foreign(contents.header, path.name)
    return contents, notes


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
        problem = file_problem(followed(path))
        if problem:
            raise ImportRefused(f"The vocoder's {path} {problem}.", remedy="Copy it again.")
    config = read_vocoder(followed(pair[0]))
    config.check_fits(mel, pair[0])
    contents = read_contents(pair[1], VOCODER)
    wrong = vocoder_contradictions(contents.header_of(contents.choose()), config)
    if wrong:
        raise ImportRefused(
            f"{pair[1]} is of another architecture than its config.yaml: {'; '.join(wrong)}.",
            remedy="Put the config.yaml of that vocoder beside it.",
        )
    return pair


def examine(
    path: Path, config: str | Path | None, vocoder: str | Path | None, name: str | None, weights: str = "auto"
) -> Examined:
    """Find the files of the import in ``path`` and check that they fit each other; ``weights`` as in import_model."""
    by_name = entry_called(name) if name else None
    files = find_in_folder(path, by_name)
    contents, notes = _read_weights(files.weights)
    if config is None and by_name is not None:
        backbone, arch, mel, stated = by_name.backbone, dict(by_name.arch), by_name.mel, by_name.name
    else:
        backbone, arch, mel, stated = _configuration(config, files)
    layer = contents.choose(weights)
    header = contents.header_of(layer)
    _refuse(misfit(files.weights.name, layer, header, (backbone, arch, mel), stated))
    vocab = followed(files.vocab) if files.vocab else packaged_vocab()
    vocabulary = read_vocabulary(vocab)
    refuse_unusable(vocabulary, vocab)
    which = f"{files.vocab.name} has" if files.vocab else "there is no vocabulary beside it, and the one of f5_tts has"
    _refuse(wrong_vocabulary(files.weights.name, header, len(vocabulary.tokens), which, files.weights.parent))
    notes = [contents.layers.describe(layer.kind), *notes, f"Configuration: {stated}.", *vocabulary.repairs]
    if files.vocab is None:
        notes.append("No vocabulary beside the weights; the one of f5_tts is used, which has the right length.")
    own = _vocoder(vocoder, files, mel)
    notes += [] if own else ["No vocoder beside the weights; charactr/vocos-mel-24khz from the caches is used."]
    linked = sum(followed(p) != p for p in (files.weights, files.vocab, *(own or ())) if p is not None)
    notes += [f"{linked} links had become text files; their blobs are taken."] if linked else []
    notes += _picked(path, files.weights)
    return Examined(files, backbone, arch, mel, vocabulary, own, contents.layers, layer.kind, tuple(notes))


def _picked(path: Path, weights: Path) -> list[str]:
    """A note on the snapshot of ``weights`` below ``path``, if refs/main does not name it."""
    snapshot = next((p for p in weights.parents if p.parent.name == "snapshots"), None)
    if snapshot is None or snapshot in (path, *path.parents):  # it was named
        return []
    return [f"Revision: {why}." for why in [why_picked(snapshot)] if why]


def _refuse(found: Refusal | None) -> None:
    """Raise ImportRefused if something was found."""
    if found is not None:
        raise ImportRefused(found[0], remedy=found[1])


def entry_called(name: str) -> ModelSpec | None:
    """The released or community entry ``name``, whose configuration is then used; None if there is none."""
    try:
        spec = get_model(name)
    except ModelError:
        return None
    return spec if spec.kind in ("released", "community") and spec.arch and spec.name.lower() == name.lower() else None
