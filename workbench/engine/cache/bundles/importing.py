"""Bring the models of a bundle into the cache."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tarfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import ValidationError

from workbench.engine.cache.bundles.layout import (
    FORMAT,
    LIST_MAX_BYTES,
    LIST_NAME,
    PLACES,
    BundleReport,
    Listed,
    Progress,
)
from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.fetch.fetching import one_at_a_time
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import MANIFEST_NAME
from workbench.engine.cache.paths import cache_root
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import CacheError, reason_of
from workbench.engine.files.leftovers import claim
from workbench.engine.files.writing import READ_BYTES, human_bytes, sha256_of
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
_AGAIN = "Copy it again, or make it again on the machine with the models."


def list_bundle(bundle: Path | BinaryIO) -> Listed:
    """Return what a bundle, or a stream of one, says it holds; only its first member is read. Raises CacheError."""
    path = _path_of(bundle)
    try:
        with _opened(bundle) as file:
            return _read_list(path, file)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        raise CacheError(f"{path} cannot be read: {reason_of(error)}.", remedy="Give the path of a bundle.") from error


def import_bundle(bundle: Path | BinaryIO, *, on_progress: Progress | None = None) -> BundleReport:
    """Bring the models of a bundle, or of a stream of one, into ``cache/``.

    Every checksum is compared before a file is placed. A model that is here unchanged is kept. Nothing is left of a
    refused bundle.

    Args:
        on_progress: called with (file, bytes done, bytes in all).

    Raises:
        CacheError: the bundle is damaged or of another format, the disk is full, or the name of an import is taken.
    """
    began = time.perf_counter()
    path, root = _path_of(bundle), cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        sweep_drafts()
        with one_at_a_time(), _opened(bundle) as file, claim(root / f".bundle-{uuid.uuid4().hex}.part") as draft:
            listed = _read_list(path, file)
            total = sum(entry.size for entry in listed.files.values())
            if total > shutil.disk_usage(root).free:
                raise CacheError(f"{path.name} needs {human_bytes(total)}, but the disk of {root} is too full.",
                                 remedy="Free some space, or move the cache with WORKBENCH_HOME.")  # fmt: skip
            _unpack(path, file, listed, draft, total, on_progress)
            kept = _place(listed, draft, root)
    except OSError as error:
        raise CacheError(f"The import of {path} failed: {error.strerror or error}.",
                         remedy="Check the disk, and the permissions of both.") from error  # fmt: skip
    seconds = time.perf_counter() - began
    log.info("bundle imported", extra=pairs(models=len(listed.models), bytes=total, took=seconds))
    return BundleReport({m.name: m.license for m in listed.models}, total, seconds, kept)


def _path_of(bundle: Path | BinaryIO) -> Path:
    """The path of a bundle, or the name of its stream, for messages."""
    return bundle if isinstance(bundle, Path) else Path(str(getattr(bundle, "name", "bundle.tar")))


@contextmanager
def _opened(bundle: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(bundle, Path):
        with bundle.open("rb") as file:
            yield file
    else:
        bundle.seek(0)
        yield bundle


def _damaged(path: Path, why: str) -> CacheError:
    return CacheError(f"The bundle {path.name} is damaged: {why}. Nothing of it was kept.", remedy=_AGAIN)


def _members(path: Path, file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Yield (name, size) of each member, whose content the caller must read; then check that only zeros follow."""
    while True:
        header = file.read(tarfile.BLOCKSIZE)
        if len(header) < tarfile.BLOCKSIZE:
            raise _damaged(path, "it is cut short")
        if not any(header):
            break
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise _damaged(path, f"a header is invalid ({error})") from error
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise _damaged(path, f"{info.name!r} is not a regular file")
        yield info.name, info.size
        if any(_taken(path, file, -info.size % tarfile.BLOCKSIZE)):
            raise _damaged(path, "there are bytes between its files")
    while rest := file.read(READ_BYTES):
        if any(rest):
            raise _damaged(path, "there are bytes after its end")


def _taken(path: Path, file: BinaryIO, n_bytes: int) -> bytes:
    content = file.read(n_bytes)
    if len(content) < n_bytes:
        raise _damaged(path, "it is cut short")
    return content


def _read_list(path: Path, file: BinaryIO) -> Listed:
    """Read and check bundle.json, the first member; leave ``file`` at the second. Raises CacheError."""
    name, size = next(_members(path, file), ("", 0))
    if name != LIST_NAME or not 0 < size <= LIST_MAX_BYTES:
        raise CacheError(f"{path.name} is not a bundle of models.", remedy="`cache export` makes one.")
    try:
        listed = Listed.model_validate_json(_taken(path, file, size))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _damaged(path, f"{LIST_NAME}: {'.'.join(map(str, first['loc']))[:80]} {first['msg']}") from error
    _taken(path, file, -size % tarfile.BLOCKSIZE)
    if listed.format != FORMAT:
        raise CacheError(f"{path.name} has format {listed.format}; this version reads {FORMAT}.",
                         remedy="Install the newest version of the workbench.")  # fmt: skip
    names = {model.name.lower() for model in listed.models}
    for place in listed.files:
        parts = PurePosixPath(place).parts
        own = {"imported": parts[1:2], "locks": (parts[-1].removesuffix(".json"),)}.get(parts[0] if parts else "", ())
        if not PLACES.fullmatch(place) or "\\" in place or {".", ".."} & set(place.split("/")) or any(
            name.lower() not in names for name in own
        ):  # fmt: skip
            raise _damaged(path, f"{place!r} is no place in the cache")
    return listed


def _unpack(
    path: Path, file: BinaryIO, listed: Listed, draft: Path, total: int, on_progress: Progress | None
) -> None:  # fmt: skip
    """Write every file to ``draft``. Raises CacheError unless they are exactly those of the list."""
    waiting, done = dict(listed.files), 0
    for name, size in _members(path, file):
        entry = waiting.pop(name, None)
        if entry is None or entry.size != size:
            raise _damaged(path, f"{name!r} is not in its list, or has another size")
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (draft / name).open("wb") as target:
            for start in range(0, size, READ_BYTES):
                block = _taken(path, file, min(READ_BYTES, size - start))
                digest.update(block)
                target.write(block)
                done += len(block)
                if on_progress is not None:
                    on_progress(name, done, total)
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != entry.sha256:
            raise _damaged(path, f"the sha256 of {name} differs")
    if waiting:
        raise _damaged(path, f"{next(iter(waiting))} is missing")


def _place(listed: Listed, draft: Path, root: Path) -> tuple[str, ...]:
    """Move the files of ``draft`` to ``root``: snapshots first, then imports, manifests last. Returns what was here.

    Raises:
        CacheError: the name of an import belongs to another one.
    """
    kept, new = [], []
    imported = imported_folder()
    for folder in sorted((draft / "imported").glob("*")):
        found = [p for p in imported.glob("*") if p.name.lower() == folder.name.lower()]
        if not found:
            new.append(folder)
        elif _same(folder / MANIFEST_NAME, found[0] / MANIFEST_NAME):
            kept.append(folder.name)
        else:
            raise CacheError(f"The name {folder.name} is taken: {found[0]} holds another model.",
                             remedy=f"Remove it first: `python -m workbench cache rm {found[0].name}`.")  # fmt: skip
    for snapshot in sorted(draft.glob("hub/*/snapshots/*")):
        _place_snapshot(snapshot, root / snapshot.relative_to(draft))
    for ref in sorted(draft.glob("hub/*/refs/main")):
        if not (target := root / ref.relative_to(draft)).exists():
            _move(ref, target)
    for folder in new:
        _move(folder, imported / folder.name)
    for lock in sorted((draft / "locks").glob("*.json")):
        if _same(lock, target := root / "locks" / lock.name):
            kept.append(lock.stem)
        else:
            _move(lock, target)
    return tuple(m.name for m in listed.models if m.name in kept)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def _place_snapshot(snapshot: Path, target: Path) -> None:
    """Move a whole snapshot, or into an existing one those files that it lacks or that differ there."""
    if not target.exists():
        _move(snapshot, target)
        return
    for path in sorted(p for p in snapshot.rglob("*") if p.is_file()):
        there = target / path.relative_to(snapshot)
        if not (followed(there).is_file() and sha256_of(followed(there)) == sha256_of(path)):
            _move(path, there)
