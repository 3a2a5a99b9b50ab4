"""Archives from other people are read completely and checked, with limits, before any content is used."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import struct
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_ARCH
from workbench.engine.cache import import_model
from workbench.engine.cache.imports import decompressing
from workbench.engine.cache.imports.archives import unpack
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import Cancelled, ImportRefused

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


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_out_whole(tmp_path: Path, kind: str) -> None:
    assert unpacked(pack(tmp_path / f"a.{kind}", CONTENT, kind)) == CONTENT


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / f"a.{kind}", CONTENT, kind)
    whole, dice = path.read_bytes(), random.Random(7)
    ends = [*range(40), *range(len(whole) - 40, len(whole))]
    n_refused = 0
    for at in (*ends, *(dice.randrange(len(whole)) for _ in range(80))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :])
        try:
            assert unpacked(path) == CONTENT, f"byte {at}"
        except ImportRefused:
            n_refused += 1
    assert n_refused > 80


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_short_anywhere(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / f"a.{kind}", CONTENT, kind)
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole) - 1
    for length in (0, 1, 100, end // 2, end - 30, end):
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize("kind", FORMATS)
def test_garbage_behind_the_end(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / f"a.{kind}", CONTENT, kind)
    path.write_bytes(path.read_bytes() + b"garbage")
    refused(path)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "tar.bz2"])
def test_streams_that_follow_one_another_are_one(tmp_path: Path, kind: str) -> None:
    squeeze: Callable[[bytes], bytes] = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}[kind[4:]]
    plain = pack(tmp_path / "a.tar", CONTENT, "tar").read_bytes()
    path = tmp_path / f"a.{kind}"
    path.write_bytes(squeeze(plain[:5000]) + squeeze(plain[5000:]))
    assert unpacked(path) == CONTENT
    path.write_bytes(squeeze(plain) + squeeze(b"more"))
    refused(path, "follows its end")


def test_an_import_of_a_flipped_archive(tiny_folder: Path, tmp_path: Path) -> None:
    """One bit in the middle of the weights: no checksum of ours would ever notice."""
    mine = Path(shutil.copytree(tiny_folder, tmp_path / "mine"))
    config = {"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}}
    (mine / "config.yaml").write_text(yaml.safe_dump(config))
    for kind in ("tar.gz", "tar.xz", "tar.bz2", "zip"):
        content = {f"mine/{p.relative_to(mine)}": p.read_bytes() for p in mine.rglob("*") if p.is_file()}
        path = pack(tmp_path / f"mine.{kind}", content, kind)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 4]) + whole[len(whole) // 2 + 1 :])
        with pytest.raises(ImportRefused, match="cannot be unpacked"):
            import_model(path, name="mine")
        assert not any(imported_folder().iterdir())
    path.write_bytes(whole)
    import_model(path, name="mine")
    weights = "model_random.safetensors"
    assert (imported_folder() / "mine" / weights).read_bytes() == (tiny_folder / weights).read_bytes()


def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", CONTENT, "tar")
    whole = bytearray(path.read_bytes())
    at = whole.index(b"m/vocab.txt")
    whole[at] ^= 1
    path.write_bytes(whole)
    refused(path, "damaged header")


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


# Zip directories that lie ------------------------------------------------------------


def _directory(path: Path, **changes: tuple[str, int]) -> None:
    """Overwrite fields of the first entry of the central directory: name to (format, value)."""
    offsets = {"flags": 8, "crc": 16, "compressed": 20, "size": 24, "offset": 42}
    whole = bytearray(path.read_bytes())
    at = whole.index(b"PK\1\2")
    for name, (form, value) in changes.items():
        struct.pack_into(form, whole, at + offsets[name], value)
    path.write_bytes(whole)


def test_encrypted(tmp_path: Path) -> None:
    _directory(pack(tmp_path / "a.zip", CONTENT, "zip"), flags=("<H", 1))
    refused(tmp_path / "a.zip", "is encrypted.*Unpack it yourself")


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.stored.zip", {"aa": b"1" * 500, "bb": b"1" * 500}, "stored.zip")
    second = path.read_bytes().index(b"PK\3\4", 4)
    whole = bytearray(path.read_bytes())
    entries = [i for i in range(len(whole)) if whole[i : i + 4] == b"PK\1\2"]
    struct.pack_into("<I", whole, entries[0] + 20, second + 100)
    path.write_bytes(whole)
    refused(path, "overlaps")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    refused(tmp_path / "a.zip", "holds 'a' twice")


@pytest.mark.parametrize("field", ["offset", "size", "compressed", "crc"])
def test_wrong_numbers(tmp_path: Path, field: str) -> None:
    for value in (0, 1, 2**31, 2**32 - 1):
        _directory(pack(tmp_path / "a.zip", {"b": b"x" * 99, "c": b"y"}, "zip"), **{field: ("<I", value)})
        if (field, value) != ("offset", 0):
            refused(tmp_path / "a.zip", "cannot be unpacked|more than the disk")


def test_zip64_nonsense(tmp_path: Path) -> None:
    for value in (2**63, 2**64 - 1, 2**40):
        extra = struct.pack("<HHQQQ", 1, 24, value, value, value)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("a")
            archive.writestr(info, b"x")
            info.extra = extra  # only in the central directory, which is written last
        _directory(
            tmp_path / "a.zip",
            size=("<I", 2**32 - 1),
            compressed=("<I", 2**32 - 1),
            offset=("<I", 2**32 - 1),
        )
        refused(tmp_path / "a.zip", "cannot be unpacked|more than the disk")


def test_a_directory_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompressing, "DIRECTORY_BYTES", 70_000)
    pack(tmp_path / "a.zip", {f"{i:0100}": b"" for i in range(700)}, "zip")
    refused(tmp_path / "a.zip", "directory is too long")


@pytest.mark.parametrize("kind", FORMATS)
def test_cancel(tmp_path: Path, kind: str) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        unpack(pack(tmp_path / f"a.{kind}", CONTENT, kind), tmp_path / "out", cancel)


def test_a_damaged_name_is_quoted_in_a_line(tmp_path: Path) -> None:
    """zipfile's own message repeats the member's name, which may have 64 kB."""
    path = tmp_path / "long.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("n" * 40_000, b"x")
    content = bytearray(path.read_bytes())
    content[31] ^= 1  # the name of the member itself; that in the list of members stays
    path.write_bytes(content)
    with pytest.raises(ImportRefused) as refused:
        unpack(path, tmp_path / "out")
    assert len(str(refused.value)) < 400
