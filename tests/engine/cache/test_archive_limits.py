"""Archives that ask for too much: headers, names, depth, memory, dictionaries."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.engine.cache.packed import FORMATS, METHODS, pack, peak, refused
from workbench.engine.cache.imports import decompressing
from workbench.engine.cache.imports.archives import unpack

# Headers, before they are read ------------------------------------------------------------


def _block(kind: bytes, size: int, name: str = "x") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def _zeros(path: Path, head: bytes, n_bytes: int) -> None:
    """A gzip of ``head`` and then zeros, made without holding them."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(n_bytes >> 20):
            file.write(bytes(1 << 20))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_long_header_is_refused_before_it_is_read(tmp_path: Path, kind: bytes) -> None:
    _zeros(tmp_path / "a.tar.gz", _block(kind, 1_500_000_000), 32 << 20)
    with peak() as most:
        refused(tmp_path / "a.tar.gz", "a header of 1500000")
    assert most[0] < 8 << 20


def test_many_headers_are_too_long_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompressing, "HEADERS_BYTES", 100_000)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for i in range(20):
            member = tarfile.TarInfo(str(i))
            member.pax_headers = {"comment": "c" * 9000}
            archive.addfile(member)
    refused(tmp_path / "a.tar.gz", "headers are too long")


def test_headers_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of headers that each announce another, and a map of holes that never ends."""
    monkeypatch.setattr(decompressing, "HEADERS_BYTES", 1 << 20)
    (tmp_path / "chain.tar").write_bytes(_block(tarfile.XHDTYPE, 0) * 5000)
    refused(tmp_path / "chain.tar")
    sparse = bytearray(_block(tarfile.GNUTYPE_SPARSE, 0))
    sparse[482] = 1  # "another block of the map follows"
    sparse[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(sparse))[0]
    block = b"00000000001\0" * 42 + b"\1" + bytes(7)
    with gzip.open(tmp_path / "sparse.tar.gz", "wb") as file:
        file.write(sparse + block * 7_000)
    refused(tmp_path / "sparse.tar.gz", "headers are too long")


def test_a_file_that_announces_more_than_there_is_room_for(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(_block(tarfile.REGTYPE, 2**50))
    refused(tmp_path / "a.tar", "more than the disk has free")


def test_too_deep(tmp_path: Path) -> None:
    refused(pack(tmp_path / "a.tar", {"a/" * 40 + "b": b""}, "tar"), "deeper than 32")
    refused(pack(tmp_path / "a.zip", {"a/" * 40 + "b": b""}, "zip"), "deeper than 32")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_no_disk_takes(tmp_path: Path, kind: str) -> None:
    refused(pack(tmp_path / f"a.{kind}", {"m/" + "n" * 300: b""}, kind), "File name too long")


# Memory, for every format ------------------------------------------------------------


def test_an_xz_that_asks_for_a_huge_dictionary(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    whole = bytearray(lzma.compress(bytes(100_000), lzma.FORMAT_XZ, filters=filters))
    at = whole.index(b"\x21\x01", 12) + 2  # the filter's id, the length of its properties, the dictionary's size
    whole[at] = 40  # 4 GiB
    size = (whole[12] + 1) * 4
    whole[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(whole[12 : 12 + size - 4]))
    (tmp_path / "a.tar.xz").write_bytes(whole)
    refused(tmp_path / "a.tar.xz", "Memory usage limit")


@pytest.mark.parametrize("kind", FORMATS[1:7])
def test_a_bomb_takes_no_memory(tmp_path: Path, kind: str) -> None:
    n_bytes, path = 48 << 20, tmp_path / f"a.{kind}"
    if kind in METHODS:
        with zipfile.ZipFile(path, "w", METHODS[kind]) as archive, archive.open("zeros", "w") as out:
            out.write(bytes(n_bytes))
    else:
        squeeze = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}[kind[4:]]
        path.write_bytes(squeeze(_block(tarfile.REGTYPE, n_bytes) + bytes(n_bytes + 10240)))  # type: ignore[operator]
    with peak() as most:
        unpack(path, tmp_path / "out")
    assert most[0] < 20 << 20, "a dictionary of lzma has 8 MB"
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) == n_bytes


def test_a_zip_member_that_asks_for_a_huge_dictionary(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.lzma.zip", {"a": bytes(100)}, "lzma.zip")
    whole = bytearray(path.read_bytes())
    at = whole.index(b"\x5d", 30)
    whole[at + 1 : at + 5] = b"\xff\xff\xff\xff"
    path.write_bytes(whole)
    refused(path, "Memory usage limit")
