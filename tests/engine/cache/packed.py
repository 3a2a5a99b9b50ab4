"""Archives of every kind, as tests pack and unpack them."""

from __future__ import annotations

import io
import random
import shutil
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbench.engine.cache.imports.archives import unpack
from workbench.engine.errors import ImportRefused

FORMATS = ("tar", "tar.gz", "tar.xz", "tar.bz2", "zip", "lzma.zip", "bz2.zip", "stored.zip")
METHODS = {
    "zip": zipfile.ZIP_DEFLATED,
    "lzma.zip": zipfile.ZIP_LZMA,
    "bz2.zip": zipfile.ZIP_BZIP2,
    "stored.zip": zipfile.ZIP_STORED,
}
CONTENT = {
    "m/model.safetensors": random.Random(1).randbytes(3000) + bytes(3000),
    "m/vocab.txt": "ä\nb\n".encode() * 50,
    "m/empty": b"",
}


def pack(path: Path, content: dict[str, bytes], kind: str) -> Path:
    """``content`` as an archive of that kind."""
    if kind in METHODS:
        with zipfile.ZipFile(path, "w", METHODS[kind]) as archive:
            for name, data in content.items():
                archive.writestr(zipfile.ZipInfo(name), data, METHODS[kind])
        return path
    with tarfile.open(path, f"w:{kind.partition('.')[2]}") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def unpacked(path: Path) -> dict[str, bytes]:
    """What comes out of it."""
    target = path.with_name("out")
    shutil.rmtree(target, ignore_errors=True)
    unpack(path, target)
    return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}


def refused(path: Path, match: str = "cannot be unpacked") -> None:
    """In one line that tells nothing of our own temporary folders."""
    with pytest.raises(ImportRefused, match=match) as caught:
        unpacked(path)
    assert "\n" not in str(caught.value) and "/out" not in str(caught.value)


@contextmanager
def peak() -> Iterator[list[int]]:
    """One number after the block: the most bytes of Python's memory that were held within it."""
    most: list[int] = []
    tracemalloc.start()
    try:
        yield most
    finally:
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
