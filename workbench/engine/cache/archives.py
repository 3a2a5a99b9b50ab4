"""Unpacking an archive that a stranger may have made."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import tarfile
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from workbench.engine.cache.paths import human_bytes
from workbench.engine.errors import Cancelled, ImportRefused

MAX_UNPACKED_BYTES = 20_000_000_000  # the largest checkpoint known, an unpruned one, has 5.4 GB
MAX_ENTRIES = 10_000
SPARE_BYTES = 50_000_000
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_BLOCK = 1 << 20


def is_archive(path: Path) -> bool:
    """By its name: a .pt file is a zip archive too, and not meant."""
    return path.name.lower().endswith(SUFFIXES)


class _Budget:
    """Counts what comes out of an archive; what its header announces is not to be trusted."""

    def __init__(self, path: Path, target: Path, cancel: threading.Event | None) -> None:
        self.path, self.cancel, self.entries = path, cancel, 0
        self.left = min(MAX_UNPACKED_BYTES, shutil.disk_usage(target).free - SPARE_BYTES)

    def take(self, n_bytes: int) -> None:
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The import was cancelled; nothing was kept.")
        self.left -= n_bytes
        if self.left < 0:
            raise ImportRefused(
                f"{self.path.name} unpacks to more than there is room for (the disk, or "
                f"{human_bytes(MAX_UNPACKED_BYTES)}).",
                remedy="Unpack it yourself and import the folder.",
            )

    def entry(self, name: str) -> None:
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise ImportRefused(
                f"{self.path.name} holds more than {MAX_ENTRIES} files.",
                remedy="Unpack it yourself and import the folder of one model.",
            )
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name.partition("/")[0]:
            raise ImportRefused(
                f"{self.path.name} holds {name!r}, which leads out of its folder.", remedy="Do not trust this archive."
            )


def _unzip(path: Path, target: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            budget.entry(info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise ImportRefused(
                    f"{path.name} holds the link {info.filename!r}, which zip does not keep safely.",
                    remedy="Pack it with tar, or with the files themselves (zip without -y).",
                )
            place = target / info.filename
            if info.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, place.open("wb") as out:
                while block := source.read(_BLOCK):
                    budget.take(len(block))
                    out.write(block)


def _link_target(member: tarfile.TarInfo) -> str:
    """Where a link of a tar archive points to, as a path within the archive; it may lead out of it."""
    start = posixpath.dirname(member.name) if member.issym() else ""
    return posixpath.normpath(posixpath.join(start, member.linkname))


def _untar(path: Path, target: Path, budget: _Budget) -> None:
    """Regular files are written, links to them become second names of the same content.

    No symbolic link is ever made, so that nothing can be written through one. The "data" filter of tarfile is not
    enough: before Python 3.11.13 it could be led out of the folder (CVE-2025-4517).
    """
    links: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            budget.entry(member.name)
            name = posixpath.normpath(member.name)
            if member.issym() or member.islnk():
                budget.entry(member.linkname if member.linkname.startswith("/") else _link_target(member))
                links[name] = _link_target(member)
            elif member.isdir():
                (target / name).mkdir(parents=True, exist_ok=True)
            elif member.isreg() and (source := archive.extractfile(member)) is not None:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                with source, (target / name).open("wb") as out:
                    while block := source.read(_BLOCK):
                        budget.take(len(block))
                        out.write(block)
            else:
                raise ImportRefused(
                    f"{path.name} holds {member.name!r}, which is neither file nor folder.",
                    remedy="Do not trust this archive.",
                )
    for name, end in links.items():
        for _ in range(8):  # links to links, as in no known cache; a circle ends here
            end = links.get(end, end)
        place, content = target / name, target / end
        if content.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(content, place)
            except OSError:  # a disk without hard links
                budget.take(content.stat().st_size)
                shutil.copyfile(content, place)


def unpack(path: Path, target: Path, cancel: threading.Event | None = None) -> None:
    """Unpack ``path`` into the folder ``target``.

    Raises:
        ImportRefused: damaged, too large, or with a path or link that leads out of the folder.
        Cancelled: on request.
    """
    target.mkdir(parents=True, exist_ok=True)
    budget = _Budget(path, target, cancel)
    try:
        (_unzip if path.name.lower().endswith(".zip") else _untar)(path, target, budget)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImportRefused(
            f"{path.name} cannot be unpacked ({why}).", remedy="Copy it again, or unpack it yourself."
        ) from error
