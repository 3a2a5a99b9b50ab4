"""Unpack an archive from an untrusted source.

Reads every byte up to the end of the file and compares every checksum of the format: an archive is unpacked completely
or refused. Sizes in a header are limited before they are used.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from workbench.engine.cache.imports.decompressing import (
    ZIP_DECODERS,
    CappedFile,
    Decoded,
    TarStream,
    opened,
    raw_member,
)
from workbench.engine.catalog.plain import first_line
from workbench.engine.errors import Cancelled, ImportRefused
from workbench.engine.files.writing import human_bytes

MAX_UNPACKED_BYTES = 20_000_000_000  # the largest checkpoint known, an unpruned one, has 5.4 GB
MAX_ENTRIES = 10_000
MAX_DEPTH = 32  # folders within folders
SPARE_BYTES = 50_000_000
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_BLOCK = 1 << 20
# of the zip format: size of the fixed part of a member and of the end record, and the signature of the latter
_ZIP_MEMBER_BYTES, _ZIP_END_BYTES, _ZIP_END = 30, 22, b"PK\x05\x06"
# what the standard library raises for a damaged or hostile archive
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError),
)


def is_archive(path: Path) -> bool:
    """Whether the suffix is that of an archive. A .pt file is a zip too, but does not count."""
    return path.name.lower().endswith(SUFFIXES)


class _Budget:
    """Limits the entries and bytes that come out of an archive, whatever its header says."""

    def __init__(self, path: Path, target: Path, cancel: threading.Event | None) -> None:
        self.path, self.cancel, self.entries = path, cancel, 0
        self.left = min(MAX_UNPACKED_BYTES, shutil.disk_usage(target).free - SPARE_BYTES)

    def check(self) -> None:
        """Raise Cancelled if ``cancel`` is set."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The import was cancelled; nothing was kept.")

    def fits(self, n_bytes: int) -> None:
        """Raise ImportRefused if ``n_bytes`` exceed the space left."""
        if n_bytes > self.left:
            raise ImportRefused(
                f"{self.path.name} unpacks to more than the disk has free, or to more than "
                f"{human_bytes(MAX_UNPACKED_BYTES)}.",
                remedy="Unpack it yourself and import the folder.",
            )

    def take(self, n_bytes: int) -> None:
        self.check()
        self.fits(n_bytes)
        self.left -= n_bytes

    def entry(self, name: str) -> None:
        self.check()
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise ImportRefused(
                f"{self.path.name} holds more than {MAX_ENTRIES} files.",
                remedy="Unpack it yourself and import the folder of one model.",
            )
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name.partition("/")[0]:
            raise ImportRefused(
                f"{self.path.name} holds {_short(name)}, which leads out of its folder.",
                remedy="Do not trust this archive.",
            )
        if len(parts.parts) > MAX_DEPTH:
            raise ImportRefused(
                f"{self.path.name} holds {_short(name)}, deeper than {MAX_DEPTH} folders.",
                remedy="Unpack it yourself and import the folder of one model.",
            )

    def write(self, source: IO[bytes] | Decoded, place: Path) -> int:
        """Copy ``source`` to ``place`` within the budget. Returns the number of bytes."""
        place.parent.mkdir(parents=True, exist_ok=True)
        done = 0
        with source, place.open("wb") as out:
            while block := source.read(_BLOCK):
                self.take(len(block))
                out.write(block)
                done += len(block)
        return done


def _short(name: str) -> str:
    """``name`` quoted, at most 80 characters."""
    return repr(name if len(name) <= 80 else name[:77] + "...")


def _check_members(path: Path, archive: zipfile.ZipFile, budget: _Budget) -> None:
    """Refuse a zip whose directory is inconsistent, before anything is unpacked."""
    members, names = archive.infolist(), set()
    for info in members:
        budget.entry(info.filename)
        if info.flag_bits & 0x1:
            raise ImportRefused(
                f"{path.name} is encrypted ({_short(info.filename)}).",
                remedy="Unpack it yourself and import the folder.",
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ImportRefused(
                f"{path.name} holds the link {_short(info.filename)}, which zip does not keep safely.",
                remedy="Pack it with tar, or with the files themselves (zip without -y).",
            )
        name = posixpath.normpath(info.filename)
        if name in names and not info.is_dir():
            raise zipfile.BadZipFile(f"it holds {_short(info.filename)} twice")
        names.add(name)
    budget.fits(sum(info.file_size for info in members))
    starts = sorted(members, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in starts[1:]] + [archive.start_dir]
    for info, end in zip(starts, ends, strict=True):
        if info.header_offset + _ZIP_MEMBER_BYTES + len(info.orig_filename) + info.compress_size > end:
            raise zipfile.BadZipFile(f"{_short(info.filename)} overlaps another part")


def _unzip(path: Path, target: Path, budget: _Budget) -> None:
    with CappedFile(path) as file, zipfile.ZipFile(file) as archive:
        file.seek(-_ZIP_END_BYTES - len(archive.comment), os.SEEK_END)
        if file.read(4) != _ZIP_END:
            raise zipfile.BadZipFile("something follows its end")
        _check_members(path, archive, budget)
        for info in archive.infolist():
            if info.is_dir():
                (target / info.filename).mkdir(parents=True, exist_ok=True)
                continue
            known = ZIP_DECODERS.get(info.compress_type)  # zipfile unpacks these without a limit
            source: IO[bytes] | Decoded
            source = Decoded(raw_member(archive, info), known(info), crc=info.CRC) if known else archive.open(info)
            if budget.write(source, target / info.filename) != info.file_size:
                raise zipfile.BadZipFile(f"{_short(info.filename)} has another length than announced")


def _link_target(member: tarfile.TarInfo) -> str:
    """Target of a tar link, as a path within the archive; it may lead out of it."""
    start = posixpath.dirname(member.name) if member.issym() else ""
    return posixpath.normpath(posixpath.join(start, member.linkname))


def _untar(path: Path, target: Path, budget: _Budget) -> None:
    """Write regular files; make a link to one a hard link.

    Symbolic links are never created, so nothing can be written through one. The "data" filter of tarfile is not enough:
    before Python 3.11.13 an archive could lead it out of the folder (CVE-2025-4517).
    """
    links: dict[str, str] = {}
    with opened(path) as plain:
        stream = TarStream(plain, budget.check)
        with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
            while (member := archive.next()) is not None:
                archive.members.clear()  # tarfile would keep every member in memory
                budget.entry(member.name)
                name = posixpath.normpath(member.name)
                if member.issym() or member.islnk():
                    budget.entry(member.linkname if member.linkname.startswith("/") else _link_target(member))
                    links[name] = _link_target(member)
                elif member.isdir():
                    (target / name).mkdir(parents=True, exist_ok=True)
                elif member.isreg() and (source := archive.extractfile(member)) is not None:
                    budget.fits(member.size)
                    with stream.content():
                        written = budget.write(source, target / name)
                    if written != member.size:
                        raise tarfile.ReadError(f"{_short(member.name)} is cut short")
                else:
                    raise ImportRefused(
                        f"{path.name} holds {_short(member.name)}, which is neither file nor folder.",
                        remedy="Do not trust this archive.",
                    )
            stream.finish()
    _link(target, links, budget)


def _link(target: Path, links: dict[str, str], budget: _Budget) -> None:
    """Create the links as hard links, or copies on a disk without them."""
    for name, end in links.items():
        for _ in range(8):  # links to links; a circle ends here
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
    """Unpack ``path`` into the folder ``target``. Use the files only if this returns.

    Raises:
        ImportRefused: the archive is damaged or too large, or a path or link leads out of the folder.
        Cancelled: on request.
    """
    target.mkdir(parents=True, exist_ok=True)
    budget = _Budget(path, target, cancel)
    try:
        (_unzip if path.name.lower().endswith(".zip") else _untar)(path, target, budget)
    except _DAMAGE as error:
        why = getattr(error, "strerror", None) or first_line(error) or type(error).__name__
        raise ImportRefused(
            f"{path.name} cannot be unpacked ({why}).", remedy="Copy it again, or unpack it yourself."
        ) from error
