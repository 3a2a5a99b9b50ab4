"""List what the cache holds (fast, without hashes) and verify it (reads every byte, offline)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from workbench.engine.cache.headers import file_problem
from workbench.engine.cache.imports.contents import read_contents
from workbench.engine.cache.links import followed, is_blob_name
from workbench.engine.cache.manifests import MANIFEST_NAME, PinnedRepo, pinned_repos, read_manifest
from workbench.engine.cache.paths import snapshots, why_picked
from workbench.engine.cache.resolving import folder_weights, hub_places
from workbench.engine.catalog import VOCODER_FILES, WHISPER_FILES, Entry, RecogniserSpec, get_entry, list_entries
from workbench.engine.errors import CacheError, WeightsError
from workbench.engine.files.writing import git_id_of, sha256_of
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
_DESCRIPTION = "its description"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CachedFile:
    """A file that a model needs: its place, its size in bytes (0 if missing), and what is wrong with it.

    ``sha256`` is the value in the manifest, "" without one; ``shared`` marks the vocoder, which many models use;
    ``unlinked`` a link that became a text file, ``path`` is its blob.
    """

    name: str
    path: Path
    size: int
    problem: str = ""
    sha256: str = ""
    shared: bool = False
    unlinked: bool = False


@dataclass(frozen=True)
class Stock:
    """One model in the cache.

    ``state`` is "complete", "incomplete" or "absent"; ``source`` "cache", "huggingface cache" or "" when absent;
    ``weights`` the file of the acoustic model, and ``layer`` those of its weights that an import took; ``picked`` says
    why a revision was picked that neither a manifest nor refs/main names.
    """

    model: str
    title: str
    state: str
    source: str
    revision: str | None
    license: str
    files: tuple[CachedFile, ...]
    note: str = ""
    weights: Path | None = None
    layer: str = "auto"
    picked: str = ""

    @cached_property
    def layers(self) -> tuple[tuple[str, ...], str]:
        """("ema" and "raw" as far as they are there, those that are taken); reads the file's table of tensors."""
        try:
            if self.weights is None or self.state != "complete":
                return (), ""
            contents = read_contents(self.weights)
            return contents.layers.kinds, contents.choose(self.layer).kind
        except (WeightsError, CacheError):
            return (), ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know although the model is usable, a line each."""
        lines = [f"revision picked: {self.picked}"] if self.picked and self.state == "complete" else []
        unlinked = [f.name for f in self.files if f.unlinked]
        return (
            *lines,
            *([f"{', '.join(unlinked)}: links that became text files; the blobs are used"] * bool(unlinked)),
        )

    @property
    def bytes(self) -> int:
        """Bytes of the files that exist, vocoder included."""
        return sum(f.size for f in self.files)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each missing or damaged file; none for a model that is absent."""
        return () if self.state == "absent" else tuple(f"{f.name} {f.problem}" for f in self.files if f.problem)


def _look(name: str, path: Path, pins: PinnedRepo | None, shared: bool = False) -> CachedFile:
    """Size and problem of the file at ``path``."""
    linked, path = path, followed(path)
    entry = next((f for f in pins.files if f.path == name), None) if pins else None
    problem = file_problem(path, entry.size if entry else None)
    try:
        size = path.stat().st_size if path.is_file() else 0
    except OSError:
        size = 0
    return CachedFile(name, path, size, problem, entry.sha256 if entry else "", shared, path != linked)


def _best_snapshot(
    repo: str, names: Sequence[str], pins: PinnedRepo | None, shared: bool = False
) -> tuple[str, Path | None, list[CachedFile]]:
    """(source, snapshot, files) of the first complete snapshot, else of the one with most complete files."""
    best: tuple[int, str, Path | None, list[CachedFile]] = (-1, "", None, [])
    for source, root in hub_places():
        for snapshot in snapshots(root, repo, prefer=pins.revision if pins else None):
            pinned = pins if pins is not None and pins.revision == snapshot.name else None
            files = [_look(name, snapshot / name, pinned, shared) for name in names]
            present = sum(f.size > 0 for f in files)
            whole = sum(not f.problem for f in files)
            if present and whole > best[0]:
                best = (whole, source, snapshot, files)
            if whole == len(names):
                return source, snapshot, files
    files = best[3] or [CachedFile(name, Path(name), 0, "is missing", shared=shared) for name in names]
    return best[1], best[2], files


def _folder_files(spec: Entry, folder: Path) -> list[CachedFile]:
    """The files of a model in a folder: all that its manifest lists, or without one those that it needs."""
    pins = next(iter(read_manifest(folder / MANIFEST_NAME)), None)
    if pins is not None:
        return [_look(f.path, folder / f.path, pins) for f in pins.files]
    if isinstance(spec, RecogniserSpec):
        return [_look(name, folder / name, None) for name in WHISPER_FILES]
    try:
        weights = folder_weights(spec, folder, None)
    except WeightsError as error:
        return [CachedFile("model_*.safetensors", folder, 0, error.what)]
    return [_look(p.relative_to(folder).as_posix(), p, None) for p in (weights, folder / "vocab.txt")]


def _stock(spec: Entry) -> Stock:
    """The state of one catalogue entry."""
    source, files, note = "cache", [], spec.note
    snapshot: Path | None = None
    picked: list[str] = []
    unusable = spec.not_runnable if spec.folder is not None and os.path.lexists(spec.folder) else ""
    try:
        pins = pinned_repos(spec.name) if spec.repo or spec.vocoder_repo else {}
        if spec.folder is not None:
            files = _folder_files(spec, spec.folder)
        elif spec.repo and spec.repo_files:
            source, snapshot, files = _best_snapshot(spec.repo, spec.repo_files, pins.get(spec.repo))
            picked += _why(snapshot, pins.get(spec.repo))
        own = any(f.size for f in files)
        if (spec.vocoder_repo and spec.repo_files) or (spec.kind == "imported" and spec.vocoder_repo):
            vocoder = str(spec.vocoder_repo)
            _source, place, parts = _best_snapshot(vocoder, VOCODER_FILES, pins.get(vocoder), True)
            files, picked = files + parts, picked + _why(place, pins.get(vocoder))
    except (CacheError, WeightsError) as error:
        unusable = unusable or str(error)
    except OSError as error:
        unusable = unusable or f"It cannot be read: {error.strerror or error}."
    if unusable:  # the model exists, but its description or manifest cannot be used
        own, note = True, unusable
        files = [CachedFile(_DESCRIPTION, spec.folder or Path(), 0, f"is damaged: {unusable}"), *files]
    state = "absent" if not own else "incomplete" if any(f.problem for f in files) else "complete"
    return Stock(
        spec.name,
        spec.title,
        state,
        source if own else "",
        snapshot.name if own and snapshot else None,
        spec.license,
        tuple(files),
        spec.not_runnable or note,
        weights=next((f.path for f in files if f.name == spec.weights or _is_weights(f, spec)), None),
        layer=spec.layer,
        picked="; ".join(picked),
    )


def _is_weights(file: CachedFile, spec: Entry) -> bool:
    return spec.weights is None and fnmatch(file.name, "model_*.safetensors")


def _why(snapshot: Path | None, pins: PinnedRepo | None) -> list[str]:
    why = why_picked(snapshot, pins.revision if pins else None) if snapshot else ""
    return [why] if why else []


def inventory() -> tuple[Stock, ...]:
    """Every model and recogniser of the catalogue with its state on this disk. Reads sizes and headers only."""
    began = time.perf_counter()
    found = tuple(_stock(spec) for spec in list_entries())
    log.info(
        "inventory",
        extra=pairs(
            models=len(found),
            complete=sum(s.state == "complete" for s in found),
            took=time.perf_counter() - began,
        ),
    )
    return found


@dataclass(frozen=True)
class Checked:
    """One verified file. ``status`` is "ok", "damaged", "missing", or "unknown" if no checksum is known."""

    name: str
    path: Path
    status: str
    expected: str
    found: str


@dataclass(frozen=True)
class Verification:
    """Result of ``verify``, file by file."""

    model: str
    files: tuple[Checked, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every file exists and has the expected content."""
        return bool(self.files) and all(f.status == "ok" for f in self.files)


def _expected(file: CachedFile) -> str:
    """The sha256 in the manifest, else the digest in the blob's name: the Hub's cache names blobs by content."""
    if file.sha256:
        return file.sha256
    blob = os.path.basename(os.path.realpath(file.path)) if file.path.is_symlink() or file.unlinked else ""
    return blob if is_blob_name(blob) else ""


def _check(file: CachedFile, on_bytes: Callable[[int], None] | None, cancel: threading.Event | None) -> Checked:
    """Hash one file and compare it with its digest."""
    expected = _expected(file)
    if not file.path.is_file():
        return Checked(file.name, file.path, "missing", expected, "")
    try:
        found = git_id_of(file.path) if len(expected) == 40 else sha256_of(file.path, on_bytes=on_bytes, cancel=cancel)
    except OSError as error:
        return Checked(file.name, file.path, "damaged", expected, error.strerror or str(error))
    status = "unknown" if not expected else "ok" if found == expected else "damaged"
    return Checked(file.name, file.path, status, expected, found)


def _check_all(stock: Stock, on_progress: Progress | None, cancel: threading.Event | None) -> tuple[Checked, ...]:
    """Check every file of ``stock``."""
    done, checked = 0, []

    for file in stock.files:

        def count(n_bytes: int, name: str = file.name) -> None:
            nonlocal done
            done += n_bytes
            if on_progress is not None:
                on_progress(name, done, stock.bytes)

        checked.append(_check(file, count, cancel))
    return tuple(checked)


def verify(name: str, *, on_progress: Progress | None = None, cancel: threading.Event | None = None) -> Verification:
    """Read every byte of a model's files and compare with the manifest or the blobs' names. Uses no network.

    Args:
        on_progress: called with (file, bytes done, bytes in all).

    Raises:
        ModelError: no such model.
        CacheError: nothing of it is on this machine.
        Cancelled: on request.
    """
    began, stock = time.perf_counter(), _stock(get_entry(name))
    if stock.state == "absent":
        raise CacheError(
            f"Nothing of {stock.model} is on this machine.",
            remedy=f"`python -m workbench cache fetch {stock.model}` brings it.",
        )
    if stock.files and stock.files[0].name == _DESCRIPTION:
        raise CacheError(f"{stock.model} is damaged: {stock.note}", remedy="Delete it, and fetch or import it again.")
    checked = _check_all(stock, on_progress, cancel)
    report = Verification(stock.model, checked, time.perf_counter() - began)
    log.info("verify", extra=pairs(model=stock.model, ok=report.ok, bytes=stock.bytes, took=report.seconds))
    return report
