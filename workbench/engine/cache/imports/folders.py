"""Find a model's files in a folder of any known layout.

Known: the Hub's snapshot and whole ``models--*`` folders, ``ckpts/<Name>/`` as on the model card, ComfyUI
(``<Name>.safetensors`` beside ``<Name>.txt``), AllTalk (weights, ``vocab.txt`` and ``vocos/`` in one folder), this
project's own (config.yaml beside them), and a bare weights file. If two files fit, none is chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.cache.headers import PICKLES, file_problem
from workbench.engine.cache.links import followed
from workbench.engine.cache.paths import repo_folder, snapshots
from workbench.engine.catalog import VOCODER_REPO, ModelSpec, list_models
from workbench.engine.errors import WeightsError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.places import user_path

MAX_DEPTH, MAX_FILES = 6, 20_000
_SKIPPED = {"blobs", ".no_exist", "trees", "refs", "__pycache__", ".git", ".cache"}
_NOT_ACOUSTIC = ("duration", "optimizer", "scheduler", "pytorch_model", "bigvgan")


@dataclass(frozen=True)
class FolderFiles:
    """Files found in a folder; ``vocoder`` is (config, weights). None: the folder has no such file."""

    weights: Path
    vocab: Path | None
    vocoder: tuple[Path, Path] | None
    config: Path | None


def _walk(folder: Path, unread: list[OSError]) -> Iterator[Path]:
    """Files and links below ``folder``, at most MAX_DEPTH deep; errors of unreadable folders go into ``unread``."""
    seen, base = 0, len(folder.parts)
    for here, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = sorted(
            f for f in folders if f not in _SKIPPED and not is_clutter(f) and len(Path(here).parts) - base < MAX_DEPTH
        )
        for name in sorted(f for f in files if not is_clutter(f)):
            seen += 1
            if seen > MAX_FILES:
                raise WeightsError(
                    f"{folder} holds more than {MAX_FILES} files.", remedy="Give the folder of one model."
                )
            yield Path(here) / name


def _roots(folder: Path, spec: ModelSpec | None) -> list[Path]:
    """Folders to search: the best snapshot of each repository in a Hub cache, else the folder itself."""
    if (folder / "snapshots").is_dir():
        return _snapshot(folder)
    hub = folder / "hub" if (folder / "hub").is_dir() else folder
    repos = [p for p in sorted(hub.glob("models--*")) if p != repo_folder(hub, VOCODER_REPO)]
    if not repos:
        return [folder]
    if spec is not None and spec.repo and repo_folder(hub, spec.repo).is_dir():
        repos = [repo_folder(hub, spec.repo)]
    return [s for p in repos for s in _snapshot(p)]


def _snapshot(repo: Path) -> list[Path]:
    """The first snapshot in the folder of a repository that has whole weights, else the first; none if it has none."""
    found = snapshots(repo.parent, repo.name.removeprefix("models--").replace("--", "/"))
    return [s for s in found if _has_weights(s)][:1] or found[:1]


def _has_weights(folder: Path) -> bool:
    return any(p.suffix in (".safetensors", *PICKLES) and not file_problem(followed(p)) for p in _walk(folder, []))


def _is_vocoder_folder(path: Path) -> bool:
    return "vocos" in path.name.lower() or "vocoder" in path.name.lower()


def _candidates(roots: list[Path]) -> list[Path]:
    """Files that could be an acoustic model. Raises OSError if there is none and a folder cannot be read."""
    unread: list[OSError] = []
    found = [
        p
        for root in roots
        for p in _walk(root, unread)
        if p.suffix in (".safetensors", *PICKLES)
        and not p.name.lower().startswith(_NOT_ACOUSTIC)
        and not any(_is_vocoder_folder(q) for q in p.relative_to(root).parents if q.name)
    ]
    if unread and not found:
        raise unread[0]
    return found


def _same_build(one: ModelSpec, other: ModelSpec) -> bool:
    """Whether both entries have the same architecture. A value that only one states counts as equal."""
    both = one.arch.keys() & other.arch.keys()
    return one.name == other.name or (
        one.backbone == other.backbone and bool(both) and all(one.arch[k] == other.arch[k] for k in both)
    )


def _choose(found: list[Path], spec: ModelSpec | None, folder: Path) -> Path:
    """The weights file of ``spec``, or the only one. Raises WeightsError if none or several fit."""
    if spec is not None:
        others = {s.name.lower() for s in list_models() if not _same_build(s, spec)}
        mine = [p for p in found if not {p.parent.name.lower(), p.stem.lower()} & others]
        if found and not mine:
            raise WeightsError(
                f"{folder} holds {found[0].name} of the model {found[0].parent.name!r}, not of {spec.name}.",
                remedy="Name the model that the files belong to.",
            )
        wanted = spec.weights or ""
        tests = (
            lambda p: bool(wanted) and p.as_posix().endswith("/" + wanted),
            lambda p: bool(wanted) and p.name == Path(wanted).name,
            lambda p: spec.name.lower() in (p.stem.lower(), p.parent.name.lower()),
        )
        found = next((hits for test in tests if (hits := [p for p in mine if test(p)])), mine)
    by_stem = {p.with_suffix("") for p in found}
    if len(by_stem) == 1:  # the same model as .safetensors and .pt
        return sorted(found, key=lambda p: p.suffix != ".safetensors")[0]
    if not found:
        raise WeightsError(f"{folder} holds no weights (.safetensors or .pt).", remedy="Give the folder of one model.")
    names = ", ".join(str(p.relative_to(folder)) if p.is_relative_to(folder) else str(p) for p in found[:5])
    raise WeightsError(f"{folder} holds {len(found)} files that fit: {names}.", remedy="Give the path of one file.")


def _upwards(start: Path, stop: Path) -> Iterator[Path]:
    """``start`` and its parents up to ``stop``."""
    yield start
    while start != stop and stop in start.parents:
        start = start.parent
        yield start


def _find_vocab(weights: Path, stop: Path, spec: ModelSpec | None) -> Path | None:
    """The vocabulary nearest to the weights: named as the weights, as in the catalogue, or vocab.txt."""
    names = [weights.with_suffix(".txt").name, *([Path(spec.vocab).name] if spec and spec.vocab else []), "vocab.txt"]
    for place in _upwards(weights.parent, stop):
        for name in names:
            if (place / name).is_file() or (place / name).is_symlink():
                return place / name
        named = sorted(p for p in place.glob("*vocab*.txt") if not is_clutter(p.name))
        if len(named) == 1:
            return named[0]
    return None


def find_vocoder_in(folder: Path) -> tuple[Path, Path] | None:
    """(config, weights) of a Vocos in ``folder``, safetensors first; None if it holds none."""
    if (folder / "snapshots").is_dir():
        folder = next(iter(_snapshot(folder)), folder)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file() and (folder / "config.yaml").is_file():
            return folder / "config.yaml", folder / name
    return None


def _find_vocoder(weights: Path, stop: Path) -> tuple[Path, Path] | None:
    """(config, weights) of a Vocos beside the weights or the folder; None if there is none."""
    for place in (*_upwards(weights.parent, stop), stop.parent):
        try:
            inside = [p for p in sorted(place.iterdir()) if p.is_dir() and not is_clutter(p.name)]
            inside += [q for p in inside if p.name == "charactr" for q in sorted(p.iterdir())]
        except OSError:
            continue
        for folder in (p for p in inside if "vocos" in p.name.lower()):
            if pair := find_vocoder_in(folder):
                return pair
    return None


def find_in_folder(folder: Path, spec: ModelSpec | None = None) -> FolderFiles:
    """The files of one model in ``folder``, or beside the weights file ``folder``.

    Args:
        folder: a folder in any known layout, or a weights file.
        spec: the model; decides which of several files to take. None: there must be only one.

    Raises:
        WeightsError: no weights, several candidates, or files of another model.
    """
    folder = Path(os.path.abspath(user_path(folder)))
    try:
        return _find(folder, spec)
    except OSError as error:
        where = error.filename if error.filename and len(str(error.filename)) <= 200 else folder.name[:80]
        raise WeightsError(
            f"{where} cannot be read: {error.strerror or error}.", remedy="Check its name and its permissions."
        ) from error


def _find(folder: Path, spec: ModelSpec | None) -> FolderFiles:
    """As ``find_in_folder``, for an absolute path. Also raises OSError."""
    if folder.is_file():
        weights, stop = folder, folder.parent
    elif folder.is_dir():
        weights, stop = _choose(_candidates(_roots(folder, spec)), spec, folder), folder
    else:
        raise WeightsError(f"{folder} does not exist.", remedy="Give a folder with weights, or a weights file.")
    config = next((p / "config.yaml" for p in _upwards(weights.parent, stop) if (p / "config.yaml").is_file()), None)
    return FolderFiles(weights, _find_vocab(weights, stop, spec), _find_vocoder(weights, stop), config)
