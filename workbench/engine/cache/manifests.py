"""Lock files: which revision, and the sha256 and size of every file.

Two kinds. A model that lives in a folder (the demo voice, an import) has ``lock.json`` beside its files:
``{"model", "files": {relative: {"sha256", "size"}}}``. A fetched model has ``cache/locks/<name>.json``:
``{"model", "repos": [{"repo", "revision", "files": {path: {"sha256", "size"}}}]}``; paths are those of the repository.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.paths import is_commit, locks_root
from workbench.engine.catalog.plain import first_line, quoted, read_json
from workbench.engine.errors import CacheError
from workbench.engine.files.writing import sha256_of, write_json

LOCK_NAME = "lock.json"


@dataclass(frozen=True)
class LockedFile:
    """Path within the repository or folder, and what its content must be."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class LockedRepo:
    """One repository at one full commit; ``repo`` and ``revision`` are empty for a plain folder."""

    repo: str
    revision: str
    files: tuple[LockedFile, ...]

    def size(self, path: str) -> int | None:
        """Bytes of the file at ``path``, None if it is not locked."""
        return next((f.size for f in self.files if f.path == path), None)


def write_lock(
    folder: Path, *, model: str | None = None, about: dict[str, Any] | None = None, files: Iterable[str] | None = None
) -> Path:
    """Hash every file of ``folder`` into its lock.json.

    Args:
        model: its name; None keeps that of the present lock, else takes the folder's.
        about: further entries of the lock (title, licence, ...).
        files: relative paths to lock; None takes all but hidden files and the lock itself.

    Returns:
        Path of the lock file.

    Raises:
        CacheError: ``folder`` is no folder, or its present lock.json, which names the model, is damaged.
    """
    if not folder.is_dir():
        raise CacheError(f"{folder} is not a folder.", remedy="Give the folder that holds the model's files.")
    lock = folder / LOCK_NAME
    if model is None:
        model = _model_of(lock) if lock.exists() else folder.name
    names = (
        sorted(files)
        if files is not None
        else sorted(
            p.relative_to(folder).as_posix()
            for p in folder.rglob("*")
            if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts) and p != lock
        )
    )
    table = {n: {"sha256": sha256_of(folder / n), "size": (folder / n).stat().st_size} for n in names}
    write_json(lock, {"model": model, **(about or {}), "files": table})
    return lock


def _model_of(lock: Path) -> str:
    """The model that a lock.json names. Raises CacheError."""
    try:
        model = read_json(lock)["model"]
        if not isinstance(model, str):
            raise ValueError(f"model is {quoted(model)}")
        return model
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(lock, error) from error


def _damaged(path: Path, error: Exception) -> CacheError:
    what = f"The manifest {path} is damaged ({first_line(error)})."
    return CacheError(what, remedy="Remove it and fetch or import the model again.")


def _files(table: dict[str, Any]) -> tuple[LockedFile, ...]:
    """The ``files`` table of a lock. Raises ValueError for anything that would lead out of the folder."""
    for name in table:
        if name.startswith("/") or ".." in Path(name).parts or "\\" in name:
            raise ValueError(f"unsafe path {name!r}")
    return tuple(LockedFile(n, str(e["sha256"]), int(e["size"])) for n, e in sorted(table.items()))


def read_lock(path: Path) -> tuple[LockedRepo, ...]:
    """The repositories of a lock file of either kind; empty if there is no such file.

    Raises:
        CacheError: it is there but cannot be understood.
    """
    try:
        lock = read_json(path)
        if "files" in lock:
            return (LockedRepo("", "", _files(lock["files"])),)
        repos = tuple(LockedRepo(r["repo"], r["revision"], _files(r["files"])) for r in lock["repos"])
        for entry in repos:
            if not is_commit(entry.revision):
                raise ValueError(f"{entry.revision!r} is not a full commit")
        return repos
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def fetched_lock(name: str) -> Path:
    """Lock file of the fetched model ``name``."""
    return locks_root() / f"{name}.json"


def locked_repos(name: str) -> dict[str, LockedRepo]:
    """Repository to what is locked of it, for the fetched model ``name``. Raises CacheError if damaged."""
    return {entry.repo: entry for entry in read_lock(fetched_lock(name))}
