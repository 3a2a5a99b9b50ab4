"""import_model(): copy a user's folder, archive or weights file, in any layout, into the cache.

The user's files are never moved or changed. A model that cannot work is refused, with the reason, before anything is
copied.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.imports.archives import SUFFIXES, is_archive, unpack
from workbench.engine.cache.imports.checking import Examined, entry_called, examine, known_model
from workbench.engine.cache.imports.whisper import find_whisper
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import write_manifest
from workbench.engine.catalog import DEMO_VOICE, Entry, get_entry, imported_folder
from workbench.engine.catalog.imported import NAME
from workbench.engine.errors import CacheError, Cancelled, WorkbenchError
from workbench.engine.files.leftovers import claim
from workbench.engine.files.places import user_path
from workbench.engine.files.writing import READ_BYTES, human_bytes
from workbench.engine.logs import pairs
from workbench.engine.settings import LoadSettings

log = logging.getLogger("workbench.cache")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImportReport:
    """Result of an import: catalogue entry, notes (what was found or repaired), bytes copied, seconds.

    ``spec.layers`` are the weights that are there, ``spec.layer`` those that are taken.
    """

    spec: Entry
    notes: tuple[str, ...]
    bytes: int
    seconds: float


def _name(wanted: str | None, found: Examined, path: Path) -> str:
    """The given name, else that of the known model, else one made from the path. Raises CacheError if unusable."""
    known = known_model(found.files)
    generic = re.fullmatch(r"model(_\w+)?|vocab|ckpts?", found.files.weights.stem, re.IGNORECASE)
    bare = path.is_file() and not is_archive(path)
    own = (path.parent.name if bare else path.name) if generic else found.files.weights.stem
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        own = own.removesuffix(suffix)
    name = _allowed(wanted or (known.name if known else re.sub(r"[^A-Za-z0-9._-]+", "-", own).strip("-._")))
    entry = entry_called(name)
    return entry.name if entry else name


def _allowed(name: str) -> str:
    """``name``. Raises CacheError if it cannot be that of an import."""
    if name.lower() == DEMO_VOICE:
        raise CacheError(
            f"{name!r} is the name of the voice that came with the workbench.", remedy="Give another name."
        )
    if not NAME.fullmatch(name):
        raise CacheError(
            f"{name!r} cannot be the name of an import.",
            remedy="Use letters, digits, dot, dash and underscore, 64 at most.",
        )
    return name


def _copy(source: Path, target: Path, step: Callable[[int], None]) -> None:
    """Copy the content of ``source``, following links; call ``step`` with the size of each block."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(READ_BYTES):
            write.write(block)
            step(len(block))


def _describe(found: Examined, name: str, folder: Path) -> None:
    """Write vocab.txt as upstream's reader needs it, and config.yaml in upstream's layout."""
    import yaml

    (folder / "vocab.txt").write_text(found.vocabulary.as_text(), encoding="utf-8", newline="\n")
    model = {
        "name": name,
        "tokenizer": "custom",
        "backbone": found.backbone,
        "arch": found.arch,
        "mel_spec": dataclasses.asdict(found.mel),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": model}, sort_keys=False), encoding="utf-8")


def _bring_in(
    found: Examined, name: str, about: dict[str, Any], on_progress: Progress | None, cancel: threading.Event | None
) -> int:
    """Copy into a hidden folder, write the manifest, and rename in one step. Returns the bytes copied."""
    copies = {followed(found.files.weights): found.files.weights.name}
    if found.own_vocoder:
        copies |= {followed(p): f"vocos/{p.name}" for p in found.own_vocoder}
    return _take_in(copies, name, about, lambda part: _describe(found, name, part), on_progress, cancel)


def _take_in(
    copies: dict[Path, str],
    name: str,
    about: dict[str, Any],
    describe: Callable[[Path], None],
    on_progress: Progress | None,
    cancel: threading.Event | None,
) -> int:
    """Copy the files ``copies`` (to their names), let ``describe`` add its own, and name the folder last."""
    total, done = sum(p.stat().st_size for p in copies), 0

    def step(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        if cancel is not None and cancel.is_set():
            raise Cancelled("The import was cancelled; nothing was kept.")
        if on_progress is not None:
            on_progress(name, done, total)

    root = imported_folder()
    if total > shutil.disk_usage(root).free:
        raise CacheError(
            f"{name} needs {human_bytes(total)}, which the disk of {root} does not have free.",
            remedy="Free some space, or move the cache with WORKBENCH_HOME.",
        )
    with _reserved(name) as part:
        for source, relative in copies.items():
            _copy(source, part / relative, step)
        describe(part)
        write_manifest(part, model=name, about=about)
        os.replace(part, root / name)
    return total


@contextmanager
def _reserved(name: str) -> Iterator[Path]:
    """A draft folder for the model ``name``; nobody else can import under that name meanwhile.

    Raises:
        CacheError: the name is taken, or another import uses it.
    """
    other = "Remove it first, or choose another name with name=."
    with ExitStack() as held:
        try:
            part = held.enter_context(claim(imported_folder() / f".{name.lower()}.part"))
        except FileExistsError as error:
            raise CacheError(
                f"A model {name} is being imported at this moment.",
                remedy="Wait until that import has finished, or choose another name with name=.",
            ) from error
        taken = next((p for p in imported_folder().iterdir() if p.name.lower() == name.lower()), None)
        if taken is not None:
            raise CacheError(f"The name {name} is taken: {taken} exists.", remedy=other)
        yield part


@contextmanager
def _unpacked(path: Path, cancel: threading.Event | None) -> Iterator[Path]:
    """``path`` itself, or for an archive a temporary folder with its content."""
    imported_folder().mkdir(parents=True, exist_ok=True)
    sweep_drafts()
    if not (path.is_file() and is_archive(path)):
        yield path
        return
    with claim(imported_folder() / f".unpack-{uuid.uuid4().hex}.part") as target:
        unpack(path, target, cancel)
        try:
            yield target
        except WorkbenchError as error:  # name the user's archive, not our draft
            what, remedy = (text.replace(str(target), str(path)) for text in (error.what, error.remedy))
            raise type(error)(what, remedy=remedy) from error


def _about(name: str, path: Path, found: Examined, license: str | None, languages: tuple[str, ...]) -> dict[str, Any]:
    """Entries of the manifest besides the files."""
    known = entry_called(name)
    return {
        "title": known.title if known else name,
        "source": str(path),
        "languages": list(languages or (known.languages if known else ())),
        "license": license or (known.license if known else "unknown"),
        "note": " ".join(found.notes),
        "weights": found.files.weights.name,
        "layers": list(found.layers.kinds),
        "layer": found.taken,
        "own_vocoder": found.own_vocoder is not None,
    }


def import_model(
    path: str | Path,
    *,
    name: str | None = None,
    config: str | Path | None = None,
    vocoder: str | Path | None = None,
    weights: str = "auto",
    license: str | None = None,
    languages: tuple[str, ...] = (),
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> ImportReport:
    """Copy a user's model, or a recogniser, into the cache and make it an entry of the catalogue.

    Args:
        path: folder or archive in any known layout, or a weights file.
        name: name in the catalogue; that of an existing entry makes the copy take its place. None: by the layout.
        config: one of upstream's configurations ("F5TTS_Base"), a catalogue name, or a .yaml file in upstream's layout.
            None: the config.yaml beside the weights, or the name of a known model in the layout.
        vocoder: folder of a Vocos. None: the one beside the weights, else the one in the caches.
        weights: "ema" or "raw": those that the model speaks with, unless it is loaded with others; the file is copied
            whole. "auto": EMA if they are there and complete, else raw.
        license, languages: of the model; None and (): those of the catalogue entry.

    Raises:
        ImportRefused: MLX weights, an LFS pointer, an unsafe pickle, another architecture, a wrong vocabulary,
            no stated configuration, an unsafe archive.
        WeightsError: no weights found, cut short, or none of the kind ``weights``.
        SettingsError: ``weights`` is no such kind.
        CacheError: the name is taken or unusable, or the disk is full.
    """
    began, path = time.perf_counter(), Path(os.path.abspath(user_path(path)))
    weights = LoadSettings(weights=weights).weights
    try:
        with _unpacked(path, cancel) as source:
            whisper = find_whisper(source)
            if whisper is not None:
                name = _allowed(name or whisper.name)
                copies = {followed(file): file.name for file in whisper.files}
                about = whisper.about(path, license)
                n_bytes = _take_in(copies, name, about, lambda part: None, on_progress, cancel)
                notes: tuple[str, ...] = ("A recogniser: it fills in the words of recordings.",)
            else:
                found = examine(source, config, vocoder, name, weights)
                name, notes = _name(name, found, path), found.notes
                n_bytes = _bring_in(found, name, _about(name, path, found, license, languages), on_progress, cancel)
    except OSError as error:
        raise CacheError(
            f"The import of {path} failed: {error.strerror or error}.",
            remedy="Check the disk, and the permissions of both that path and the cache.",
        ) from error
    seconds = time.perf_counter() - began
    log.info("import", extra=pairs(model=name, source=path, bytes=n_bytes, took=seconds))
    return ImportReport(get_entry(name), notes, n_bytes, seconds)
