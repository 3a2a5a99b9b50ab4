"""Archives from other people are read completely and checked, with limits, before any content is used."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_ARCH
from tests.engine.cache.packed import CONTENT, FORMATS, pack, refused, unpacked
from workbench.engine.cache import import_model
from workbench.engine.cache.imports import decompressing
from workbench.engine.cache.imports.archives import unpack
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import Cancelled, ImportRefused


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
