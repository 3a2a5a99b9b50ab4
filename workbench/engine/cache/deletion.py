"""Delete a model: first make a plan with every path and the bytes it frees, then execute it.

Only files that no other model uses are removed. Links are removed, never followed out of the cache, and the user's own
Hugging Face cache is never changed.

Own code, not huggingface_hub's ``scan_cache_dir`` with ``delete_revisions`` or ``delete_files`` (measured with 1.33):
one broken link or one ref without its snapshot hides a whole repository, one ref that is not UTF-8 ends the scan, a
revision of SWivid/F5-TTS holds several models, and a link to a file outside of the cache deletes that file.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.fetch.fetching import one_at_a_time
from workbench.engine.cache.inventory import inventory
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import fetched_manifest
from workbench.engine.cache.paths import cache_root, hub_root, repo_folder, snapshots
from workbench.engine.catalog import (
    VOCODER_FILES,
    Entry,
    bundled_folder,
    get_entry,
    imported_folder,
    list_entries,
    list_models,
)
from workbench.engine.errors import CacheError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.leftovers import claim
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")


@dataclass(frozen=True)
class DeletePlan:
    """What a deletion removes: ``paths`` (files and links), the ``bytes`` it frees, and what it keeps and why."""

    model: str
    paths: tuple[Path, ...]
    bytes: int
    kept: tuple[str, ...]
    force: bool = False

    def execute(self) -> int:
        """Remove the paths, then the folders that are empty afterwards. Returns the bytes freed.

        Raises:
            CacheError: the cache has changed since the plan was made, a download is running, or a path cannot be
                removed.
        """
        began = time.perf_counter()
        try:
            with one_at_a_time():
                sweep_drafts()
                if plan_delete(self.model, force=self.force) != self:
                    raise CacheError(
                        f"The cache has changed since the deletion of {self.model} was planned.",
                        remedy="Make a new plan.",
                    )
                folder = _own_folder(get_entry(self.model))
                if folder is not None:
                    _remove_folder(folder)
                for path in self.paths:
                    path.unlink(missing_ok=folder is not None and folder in path.parents)
                _drop_empty({parent for path in self.paths for parent in path.parents})
        except FileExistsError as error:
            raise CacheError(
                f"{self.model} is being imported or deleted at this moment.", remedy="Wait until that has finished."
            ) from error
        except OSError as error:
            name = Path(error.filename or ".").name
            where = f"{name} of {self.model}" if name and not name.startswith(".") else self.model
            raise CacheError(
                f"{where} cannot be removed: {error.strerror or error}.",
                remedy="Check its permissions.",
            ) from error
        log.info(
            "delete",
            extra=pairs(model=self.model, files=len(self.paths), bytes=self.bytes, took=time.perf_counter() - began),
        )
        return self.bytes


def _own_folder(spec: Entry) -> Path | None:
    """The model's own folder; None if its files are in ``cache/hub``, or the folder is a link."""
    return spec.folder if spec.folder is not None and spec.folder.is_dir() and not spec.folder.is_symlink() else None


def _remove_folder(folder: Path) -> None:
    """Rename the folder to a draft, then remove it: if we are killed, a later sweep ends it. Raises OSError."""
    with claim(folder.with_name(f".{folder.name.lower()}.part")) as draft:
        os.replace(folder, draft / folder.name)
        shutil.rmtree(draft / folder.name)


def _drop_empty(folders: set[Path]) -> None:
    """Remove empty folders inside the cache, deepest first, and the refs of repositories without snapshots."""
    inside = [p for p in folders if cache_root() in p.parents and p not in (hub_root(), imported_folder())]
    for folder in sorted(inside, key=lambda p: -len(p.parts)):
        _drop_clutter(folder)
        if folder.name.startswith("models--") and not any((folder / "snapshots").glob("*")):
            for left in sorted(folder.rglob("*"), key=lambda p: -len(p.parts)):
                if left.is_dir() and not left.is_symlink():
                    _drop_clutter(left)
                    left.rmdir()
                elif left.relative_to(folder).parts[0] in ("refs", ".no_exist", "trees"):
                    left.unlink(missing_ok=True)
            _drop_clutter(folder)
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def _drop_clutter(folder: Path) -> None:
    """Remove what macOS and Windows left in ``folder``, if nothing else is in it."""
    found = list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    if all(is_clutter(path.name) for path in found):
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _in_folder(folder: Path) -> list[Path]:
    """Files and links of a model's own folder; links are listed, not followed; clutter goes with it unmentioned."""
    if folder.is_symlink():
        return [folder]
    return sorted(
        Path(here) / n
        for here, folders, files in os.walk(folder)
        for n in (*files, *(f for f in folders if (Path(here) / f).is_symlink()))
        if not any(map(is_clutter, (Path(here) / n).relative_to(folder).parts))
    )


def _in_hub(repo: str, names: tuple[str, ...]) -> list[Path]:
    """The files ``names`` in every snapshot of ``repo``, and their blobs if no other file uses them."""
    base = repo_folder(hub_root(), repo)
    if base.is_symlink():
        return []
    pointers = [
        s / n for s in snapshots(hub_root(), repo) if not s.is_symlink() for n in names if os.path.lexists(s / n)
    ]
    mine = set(pointers)
    used = {_blob(p) for p in (base / "snapshots").rglob("*") if p not in mine}
    blobs_folder = os.path.realpath(base / "blobs")
    blobs = {Path(blob) for p in pointers if (blob := _blob(p))}
    freed = [
        base / "blobs" / b.name
        for b in blobs
        if os.path.dirname(b) == blobs_folder and str(b) not in used and b.is_file()
    ]
    return sorted(freed) + sorted(pointers)  # blobs first: after an interruption the pointers still lead to the rest


def _blob(pointer: Path) -> str:
    """The file behind a link, also behind one that became a text file; empty if it is none."""
    blob = followed(pointer)
    return os.path.realpath(blob) if pointer.is_symlink() or blob != pointer else ""


def _uses_vocoder(spec: Entry) -> list[str]:
    """Other models in the cache that use the same vocoder from ``cache/hub``."""
    takers = {s.name for s in list_models() if s.vocoder_repo == spec.vocoder_repo} - {spec.name}
    return [s.model for s in inventory() if s.model in takers and s.state != "absent" and s.source == "cache"]


def _size(path: Path) -> int:
    return path.lstat().st_size if not path.is_symlink() else 0


def plan_delete(name: str, *, force: bool = False) -> DeletePlan:
    """Plan the deletion of ``name``. Removes nothing: see ``DeletePlan.execute``.

    Args:
        force: required for the demo voice, which is part of the project and tracked by git.

    Raises:
        ModelError: no such model.
        CacheError: the project's cache holds nothing of it, or it is the demo voice and ``force`` is False.
    """
    spec, kept = get_entry(name), []
    paths: list[Path] = []
    if spec.kind == "bundled" and not force:
        raise CacheError(
            f"{spec.name} is part of the project and tracked by git.",
            remedy=f"Keep it; `workbench cache rm {spec.name} --force` deletes it all the same.",
        )
    if spec.kind == "bundled":
        paths = _in_folder(bundled_folder())
    elif spec.kind == "imported":
        manifest = fetched_manifest(spec.name)
        paths = _in_folder(spec.folder or imported_folder() / spec.name) + ([manifest] if manifest.is_file() else [])
    elif spec.repo_files:
        others = {f for s in list_entries() if s.repo == spec.repo and s.name != spec.name for f in s.repo_files}
        paths = _in_hub(str(spec.repo), tuple(f for f in spec.repo_files if f not in others))
        manifest = fetched_manifest(spec.name)
        paths += [manifest] if manifest.is_file() else []
        takers = _uses_vocoder(spec) if spec.vocoder_repo else []
        if paths and spec.vocoder_repo and not takers:
            paths += _in_hub(spec.vocoder_repo, VOCODER_FILES)
        elif takers:
            kept.append(f"{spec.vocoder_repo}, which {', '.join(takers)} uses too")
    if not paths and _own_folder(spec) is None:
        stock = next((s for s in inventory() if s.model == spec.name), None)
        where = (
            "only in your own Hugging Face cache, which is never changed"
            if stock and stock.source
            else "not in the cache"
        )
        raise CacheError(f"{spec.name} is {where}.", remedy="`python -m workbench cache ls` lists the models.")
    return DeletePlan(spec.name, tuple(paths), sum(_size(p) for p in paths), tuple(kept), force)
