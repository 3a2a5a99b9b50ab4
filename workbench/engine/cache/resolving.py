"""Find the files of a catalogue entry on this disk, without any network.

Order: the folder given, the project's ``cache/``, the user's own Hugging Face cache.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from workbench.engine.cache.headers import file_problem
from workbench.engine.cache.imports.folders import find_in_folder
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import MANIFEST_NAME, PinnedRepo, pinned_repos, read_manifest
from workbench.engine.cache.paths import hub_root, snapshots, user_hub_root, why_picked
from workbench.engine.catalog import (
    VOCODER_BYTES,
    VOCODER_FILES,
    VOCODER_REPO,
    WHISPER_FILES,
    ModelFiles,
    ModelSpec,
    RecogniserSpec,
    packaged_vocab,
)
from workbench.engine.errors import WeightsError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.places import shipped_voice, user_path, voice_remedy
from workbench.engine.files.writing import human_bytes
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")


def hub_places() -> tuple[tuple[str, Path], ...]:
    """(source, root) of the caches in the Hugging Face layout, in search order."""
    return ("cache", hub_root()), ("huggingface cache", user_hub_root())


def snapshot_problems(snapshot: Path, files: Sequence[str], pins: PinnedRepo | None) -> list[str]:
    """Problems of ``files`` in ``snapshot``, one phrase each. Compares sizes if its revision is the pinned one."""
    pinned = pins if pins is not None and pins.revision == snapshot.name else None
    found = ((name, file_problem(followed(snapshot / name), pinned.size(name) if pinned else None)) for name in files)
    return [f"{name} {problem}" for name, problem in found if problem]


def find_snapshot(repo: str, files: Sequence[str], pins: PinnedRepo | None = None) -> tuple[str, Path, list[str]]:
    """(source, snapshot, problems) of the first snapshot that has all ``files`` of ``repo`` complete.

    Order: the pinned revision, refs/main, the newest. If no snapshot is complete, source is "" and problems names
    what each one lacks.
    """
    problems: list[str] = []
    for source, root in hub_places():
        for snapshot in snapshots(root, repo, prefer=pins.revision if pins else None):
            lacking = snapshot_problems(snapshot, files, pins)
            if not lacking:
                return source, snapshot, []
            problems += [f"{text} (in {snapshot})" for text in lacking]
    if not problems:
        places = " and ".join(str(root) for _, root in hub_places())
        problems = [f"{', '.join(Path(f).name for f in files)} of {repo} not found (looked in {places})"]
    return "", Path(), problems


def _missing(spec: ModelSpec, problems: Sequence[str]) -> WeightsError:
    """The error for missing files, with the remedy that fits the kind of model."""
    what = f"The files of {spec.name} are not complete on this machine: {'; '.join(dict.fromkeys(problems))}."
    if spec.kind == "bundled":
        return WeightsError(what, remedy=voice_remedy(spec.folder or shipped_voice()))
    if spec.kind == "imported":
        fetch = (
            f"Run `python -m workbench cache fetch {spec.name}` ({human_bytes(VOCODER_BYTES)}) for the vocoder, or i"
        )
        return WeightsError(what, remedy=f"{fetch if spec.vocoder_repo else 'I'}mport the model again.")
    size = f" (about {human_bytes(spec.fetch_bytes)})" if spec.fetch_bytes else ""
    return WeightsError(
        what,
        remedy=f"Run `python -m workbench cache fetch {spec.name}`{size} where there is a network, "
        "or `python -m workbench cache import FOLDER`.",
    )


def _vocoder(spec: ModelSpec, pins: dict[str, PinnedRepo]) -> tuple[tuple[Path, Path], list[str], str]:
    """((config, weights), problems, why this revision) of the vocoder of ``spec`` in the Hub layout."""
    repo = spec.vocoder_repo or VOCODER_REPO
    _source, snapshot, problems = find_snapshot(repo, VOCODER_FILES, pins.get(repo))
    config, weights = (followed(snapshot / name) for name in VOCODER_FILES)
    return (config, weights), [f"vocoder: {p}" for p in problems], "" if problems else _picked(snapshot, pins.get(repo))


def _picked(snapshot: Path, pins: PinnedRepo | None) -> str:
    return why_picked(snapshot, pins.revision if pins else None)


def folder_weights(spec: ModelSpec, folder: Path, pins: PinnedRepo | None) -> Path:
    """Weights file of a model in ``folder``: the one in the catalogue, else the only ``model_*.safetensors``."""
    if spec.weights:
        return folder / spec.weights
    found = sorted(p for p in folder.glob("model_*.safetensors") if not is_clutter(p.name))
    if len(found) > 1 and pins is not None:
        found = [p for p in found if pins.size(p.name) is not None] or found
    if len(found) > 1:
        raise WeightsError(
            f"{folder} holds {len(found)} weights: {', '.join(p.name for p in found)}.",
            remedy="Keep one, and write the manifest again.",
        )
    return found[0] if found else folder / "model_*.safetensors"


def _from_own_folder(spec: ModelSpec, folder: Path) -> ModelFiles:
    """Files of a bundled or imported model, checked against the sizes in its lock.json."""
    entry, picked = next(iter(read_manifest(folder / MANIFEST_NAME)), None), ""
    files = {"weights": folder_weights(spec, folder, entry), "vocab": folder / (spec.vocab or "vocab.txt")}
    problems: list[str] = []
    if spec.vocoder_repo is None:
        vocos = folder / "vocos"
        names = ("model.safetensors", "pytorch_model.bin")
        files["vocoder_config"] = vocos / "config.yaml"
        files["vocoder_weights"] = next((vocos / n for n in names if (vocos / n).exists()), vocos / names[0])
    for path in files.values():
        relative = path.relative_to(folder).as_posix()
        problem = file_problem(path, entry.size(relative) if entry else None)
        problems += [f"{relative} {problem} (in {folder})"] if problem else []
    if spec.vocoder_repo is not None:
        (files["vocoder_config"], files["vocoder_weights"]), lacking, picked = _vocoder(spec, pinned_repos(spec.name))
        problems += lacking
    if problems:
        raise _missing(spec, problems)
    vocoder = files["vocoder_config"], files["vocoder_weights"]
    return ModelFiles(files["weights"], files["vocab"], *vocoder, source="cache", picked=picked)


def _from_given_folder(spec: ModelSpec, folder: Path) -> ModelFiles:
    """Files in a given folder of any layout; the vocoder comes from a cache if the folder has none."""
    found = find_in_folder(folder, spec)
    vocoder, picked = found.vocoder, ""
    problems: list[str] = []
    if vocoder is None:
        vocoder, problems, picked = _vocoder(spec, pinned_repos(spec.name))
    vocab = found.vocab or (packaged_vocab() if spec.vocab is None else found.weights.parent / Path(spec.vocab).name)
    for path in (found.weights, vocab, *(found.vocoder or ())):
        problem = file_problem(followed(path))
        problems += [f"{path.name} {problem} (in {path.parent})"] if problem else []
    if problems:
        raise _missing(spec, problems)
    snapshot = next((p for p in found.weights.parents if p.parent.name == "snapshots"), None)
    revision = snapshot.name if snapshot else None
    if snapshot is not None and snapshot not in (folder, *folder.parents):  # else it was named, not picked
        picked = "; ".join(why for why in (why_picked(snapshot), picked) if why)
    weights, vocab, *parts = (followed(path) for path in (found.weights, vocab, *vocoder))
    return ModelFiles(weights, vocab, parts[0], parts[1], source="folder", revision=revision, picked=picked)


def _from_hub_layout(spec: ModelSpec) -> ModelFiles:
    """Files of a released or community model in the first cache that has them complete."""
    pins = pinned_repos(spec.name)
    source, snapshot, problems = find_snapshot(str(spec.repo), spec.repo_files, pins.get(str(spec.repo)))
    vocoder, lacking, picked = _vocoder(spec, pins)
    if problems or lacking:
        raise _missing(spec, problems + lacking)
    vocab = followed(snapshot / spec.vocab) if spec.vocab else packaged_vocab()
    picked = "; ".join(why for why in (_picked(snapshot, pins.get(str(spec.repo))), picked) if why)
    weights = followed(snapshot / str(spec.weights))
    return ModelFiles(weights, vocab, *vocoder, source=source, revision=snapshot.name, picked=picked)


def resolve(spec: ModelSpec, *, folder: Path | None = None) -> ModelFiles:
    """Paths of the files of ``spec`` on this disk, each checked to be complete by its size and header.

    Args:
        folder: take the weights from this folder (or weights file) only; any layout that
            ``folders.find_in_folder`` knows.

    Raises:
        WeightsError: files are missing, cut short or wrong. The message names each file, the folders searched,
            and the command that fixes it.
    """
    began = time.perf_counter()
    if spec.not_runnable and folder is None:
        raise WeightsError(f"{spec.name} cannot be run: {spec.not_runnable}", remedy="Choose another model.")
    try:
        if folder is not None:
            files = _from_given_folder(spec, Path(os.path.abspath(user_path(folder))))
        elif spec.folder is not None:
            files = _from_own_folder(spec, spec.folder)
        else:
            files = _from_hub_layout(spec)
    except OSError as error:
        raise _missing(spec, [f"{error.filename or 'a folder'} cannot be read ({error.strerror or error})"]) from error
    log.info(
        "resolve",
        extra=pairs(
            model=spec.name,
            source=files.source,
            revision=files.revision or "-",
            weights=files.weights,
            took=time.perf_counter() - began,
        ),
    )
    return files


def resolve_recogniser(spec: RecogniserSpec) -> Path:
    """The folder with the files of ``spec`` on this disk, each checked to be complete by its size and header.

    Raises:
        WeightsError: files are missing, cut short or wrong, with the command that fixes it.
    """
    if spec.not_runnable:
        raise WeightsError(f"{spec.name} cannot be used: {spec.not_runnable}", remedy="Choose another recogniser.")
    if spec.folder is None:
        repo = str(spec.repo)
        _source, folder, problems = find_snapshot(repo, spec.repo_files, pinned_repos(spec.name).get(repo))
        remedy = f"Run `python -m workbench cache fetch {spec.name}` (about {human_bytes(spec.about_bytes)})."
        texts = [name for name in spec.repo_files if not problems and followed(folder / name) != folder / name]
        if texts:  # a recogniser is loaded by its folder, so each file must have its name there
            problems = [f"{name} is a link that became a text file (in {folder})" for name in texts]
            remedy = f"Run `python -m workbench cache import {folder}`."
    else:
        folder, entry = spec.folder, next(iter(read_manifest(spec.folder / MANIFEST_NAME)), None)
        sizes = dict.fromkeys(WHISPER_FILES[:3]) | ({f.path: f.size for f in entry.files} if entry else {})
        found = ((path, file_problem(folder / path, size)) for path, size in sizes.items())
        problems = [f"{name} {problem} (in {folder})" for name, problem in found if problem]
        remedy = "Delete it, and import it again."
    if problems:
        raise WeightsError(
            f"The files of {spec.name} are not complete on this machine: {'; '.join(dict.fromkeys(problems))}.",
            remedy=remedy,
        )
    return folder
