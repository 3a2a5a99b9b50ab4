"""Manifests: the revision of a model, and the sha256 and size in bytes of every file.

There are two kinds. A model in a folder of its own (the demo voice, an import) has ``lock.json`` beside its files:
``{"model", "files": {relative: {"sha256", "size"}}}``. A fetched model has ``cache/locks/<name>.json``:
``{"model", "repos": [{"repo", "revision", "files": {path: {"sha256", "size"}}}]}``; paths are those of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.paths import is_commit, manifests_root
from workbench.engine.catalog.plain import first_line, read_json
from workbench.engine.errors import CacheError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.writing import sha256_of, write_json
from workbench.engine.visible import quoted

MANIFEST_NAME = "lock.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PinnedFile:
    """Path within the repository or folder, and the sha256 and size (bytes) that its content must have."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class PinnedRepo:
    """One repository at one full commit; ``repo`` and ``revision`` are empty for a plain folder."""

    repo: str
    revision: str
    files: tuple[PinnedFile, ...]

    def size(self, path: str) -> int | None:
        """Bytes of the file at ``path``; None if the manifest does not name it."""
        return next((f.size for f in self.files if f.path == path), None)


def write_manifest(
    folder: Path, *, model: str | None = None, about: dict[str, Any] | None = None, files: Iterable[str] | None = None
) -> Path:
    """Write ``folder/lock.json`` with the sha256 and size of every file.

    Args:
        model: name of the model; None: the name in the present manifest, or that of the folder if there is none.
        about: further entries of the manifest (title, licence, ...).
        files: relative paths to list; None: all files except hidden ones and the manifest itself.

    Returns:
        Path of the manifest.

    Raises:
        CacheError: ``folder`` is not a folder, or ``model`` is None and the present manifest is damaged.
    """
    if not folder.is_dir():
        raise CacheError(f"{folder} is not a folder.", remedy="Give the folder that holds the model's files.")
    manifest = folder / MANIFEST_NAME
    if model is None:
        model = _model_of(manifest) if manifest.exists() else folder.name
    names = (
        sorted(files)
        if files is not None
        else sorted(
            p.relative_to(folder).as_posix()
            for p in folder.rglob("*")
            if p.is_file()
            and not any(part.startswith(".") or is_clutter(part) for part in p.relative_to(folder).parts)
            and p != manifest
        )
    )
    table = {n: {"sha256": sha256_of(folder / n), "size": (folder / n).stat().st_size} for n in names}
    write_json(manifest, {"model": model, **(about or {}), "files": table})
    return manifest


def _model_of(manifest: Path) -> str:
    """Name of the model in a lock.json. Raises CacheError."""
    try:
        model = read_json(manifest)["model"]
        if not isinstance(model, str):
            raise ValueError(f"model is {quoted(model)}")
        return model
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(manifest, error) from error


def _damaged(path: Path, error: Exception) -> CacheError:
    what = f"The manifest {path} is damaged ({first_line(error)})."
    return CacheError(what, remedy="Remove it and fetch or import the model again.")


def _files(table: dict[str, Any]) -> tuple[PinnedFile, ...]:
    """The ``files`` table of a manifest. Raises ValueError for a path that leads out of the folder."""
    for name in table:
        if name.startswith("/") or ".." in Path(name).parts or "\\" in name:
            raise ValueError(f"unsafe path {name!r}")
    return tuple(PinnedFile(n, str(e["sha256"]), int(e["size"])) for n, e in sorted(table.items()))


def read_manifest(path: Path) -> tuple[PinnedRepo, ...]:
    """The repositories that a manifest of either kind lists; empty if the file does not exist.

    Raises:
        CacheError: the file is damaged or cannot be read.
    """
    try:
        manifest = read_json(path)
        if "files" in manifest:
            return (PinnedRepo("", "", _files(manifest["files"])),)
        repos = tuple(PinnedRepo(r["repo"], r["revision"], _files(r["files"])) for r in manifest["repos"])
        for entry in repos:
            if not is_commit(entry.revision):
                raise ValueError(f"{entry.revision!r} is not a full commit")
        return repos
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def fetched_manifest(name: str) -> Path:
    """Path of the manifest of the fetched model ``name``."""
    return manifests_root() / f"{name}.json"


def pinned_repos(name: str) -> dict[str, PinnedRepo]:
    """Repository name to its entry in the manifest of the fetched model ``name``. Raises CacheError if damaged."""
    return {entry.repo: entry for entry in read_manifest(fetched_manifest(name))}


def pinned_sha256(path: Path) -> str:
    """sha256 of the file at ``path`` as a manifest names it, without reading the file; "" where none does.

    Asked are the manifest in its folder or in the one above, for a file that still has the pinned size, and the
    Hugging Face cache, which names the content of a large file by its sha256.
    """
    blob = path.resolve().name
    if (path.is_symlink() or path.parent.name == "blobs") and _SHA256.fullmatch(blob):
        return blob
    for folder in path.parents[:2]:
        try:
            entries = [entry for repo in read_manifest(folder / MANIFEST_NAME) for entry in repo.files]
        except CacheError:
            continue
        name = path.relative_to(folder).as_posix()
        found = [entry.sha256 for entry in entries if entry.path == name and entry.size == path.stat().st_size]
        if found:
            return found[0]
    return ""
