"""Write the models of this machine to a bundle."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.bundles.layout import FORMAT, LIST_NAME, BundleReport, Progress
from workbench.engine.cache.fetch.planning import wanted
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import MANIFEST_NAME, pinned_repos, read_manifest
from workbench.engine.cache.paths import repo_folder
from workbench.engine.cache.resolving import find_snapshot
from workbench.engine.catalog import DEMO_VOICE, Entry, get_entry
from workbench.engine.errors import CacheError
from workbench.engine.files.outputs import check_place
from workbench.engine.files.writing import READ_BYTES, human_bytes, sha256_of, write_whole
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")


@dataclass(frozen=True)
class _Part:
    """One file of a bundle: its content or where that is, its bytes and its sha256."""

    source: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> _Part:
        return cls(content, len(content), hashlib.sha256(content).hexdigest())

    @property
    def entry(self) -> dict[str, Any]:
        """Its row in a list of files."""
        return {"sha256": self.sha256, "size": self.size}


def export_bundle(names: Sequence[str], out: Path, *, on_progress: Progress | None = None) -> BundleReport:
    """Write the models ``names`` and their vocoders to the new bundle ``out``, after checking every byte of them.

    Args:
        on_progress: called with (file, bytes done, bytes in all).

    Raises:
        ModelError: no such model.
        CacheError: a model is not complete, or a file differs from its manifest.
        OutputError: ``out`` cannot be written.
    """
    began = time.perf_counter()
    check_place(out)
    specs = list({spec.name: spec for spec in map(get_entry, names)}.values())
    parts: dict[str, _Part] = {}
    for spec in specs:
        parts |= _sources(spec)
    parts = dict(sorted(parts.items()))
    listed = {"format": FORMAT, "models": [{"name": s.name, "license": s.license} for s in specs],
              "files": {path: part.entry for path, part in parts.items()}}  # fmt: skip
    first = _Part.of(json.dumps(listed, indent=1, ensure_ascii=False).encode())
    total = sum(part.size for part in parts.values())
    try:
        write_whole(out, lambda draft: _write(draft, {LIST_NAME: first} | parts, total, on_progress))
    except OSError as error:
        raise CacheError(f"{out} cannot be written: {error.strerror or error}.",
                         remedy=f"Choose a disk with {human_bytes(total)} free.") from error  # fmt: skip
    seconds = time.perf_counter() - began
    log.info("bundle written", extra=pairs(models=len(specs), bytes=total, took=seconds))
    return BundleReport({s.name: s.license for s in specs}, total, seconds)


def _sources(spec: Entry) -> dict[str, _Part]:
    """Path in the bundle to each file of a model. Raises CacheError if one is missing or differs from its manifest."""
    if spec.name == DEMO_VOICE:
        raise CacheError("The demo voice comes with the workbench.", remedy="Name the other models.")
    if spec.not_runnable:
        raise CacheError(f"{spec.name} cannot be exported: {spec.not_runnable}")
    found: dict[str, _Part] = {}
    if spec.folder is not None:
        base = f"imported/{spec.folder.name}"
        for file in (file for entry in read_manifest(spec.folder / MANIFEST_NAME) for file in entry.files):
            found[f"{base}/{file.path}"] = _checked(spec, file.path, spec.folder / file.path, file.sha256)
        found[f"{base}/{MANIFEST_NAME}"] = _checked(spec, MANIFEST_NAME, spec.folder / MANIFEST_NAME)
    return found | _of_repositories(spec)


def _of_repositories(spec: Entry) -> dict[str, _Part]:
    """What comes from the Hub: a snapshot of each repository, and the manifest that pins them."""
    found: dict[str, _Part] = {}
    repos, pins = [], pinned_repos(spec.name)
    for repo, names in wanted(spec).items():
        _source, snapshot, problems = find_snapshot(repo, names, pins.get(repo))
        if problems:
            raise CacheError(f"{spec.name} is not complete: {problems[0]}.",
                             remedy=f"Run `python -m workbench cache fetch {spec.name}` first.")  # fmt: skip
        pinned = pins[repo] if repo in pins and pins[repo].revision == snapshot.name else None
        digests = {file.path: file.sha256 for file in pinned.files} if pinned else {}
        base = f"hub/{repo_folder(Path(), repo)}"
        parts = {name: _checked(spec, name, followed(snapshot / name), digests.get(name, "")) for name in names}
        found |= {f"{base}/snapshots/{snapshot.name}/{name}": part for name, part in parts.items()}
        found[f"{base}/refs/main"] = _Part.of(snapshot.name.encode())
        repos.append({"repo": repo, "revision": snapshot.name, "files": {n: p.entry for n, p in parts.items()}})
    if repos:
        lock = json.dumps({"model": spec.name, "repos": repos}, indent=1, sort_keys=True)
        found[f"locks/{spec.name}.json"] = _Part.of(f"{lock}\n".encode())
    return found


def _checked(spec: Entry, name: str, path: Path, sha256: str = "") -> _Part:
    """The file at ``path``, whose content must have ``sha256`` if that is known. Raises CacheError."""
    if not path.is_file():
        raise CacheError(f"{spec.name} is not complete: {name} is missing.", remedy="Import or fetch it again.")
    part = _Part(path, path.stat().st_size, sha256_of(path))
    if sha256 and part.sha256 != sha256:
        raise CacheError(f"{name} of {spec.name} differs from its manifest.", remedy="Import or fetch it again.")
    return part


def _write(draft: Path, parts: dict[str, _Part], total: int, on_progress: Progress | None) -> None:
    """Write the archive: the same parts give the same bytes."""
    done = -parts[LIST_NAME].size
    with draft.open("wb") as archive:
        for name, part in parts.items():
            info = tarfile.TarInfo(name)
            info.size = part.size
            try:
                archive.write(info.tobuf(tarfile.USTAR_FORMAT))
            except ValueError as error:
                raise CacheError(f"{name} cannot be in a bundle: {error}.", remedy="Shorten its name.") from error
            if isinstance(part.source, bytes):
                archive.write(part.source)
            else:
                with part.source.open("rb") as file:
                    shutil.copyfileobj(file, archive, READ_BYTES)
            archive.write(bytes(-part.size % tarfile.BLOCKSIZE))
            done += part.size
            if on_progress is not None and done:
                on_progress(name, done, total)
        archive.write(bytes(2 * tarfile.BLOCKSIZE))
