"""Read the header of a safetensors file without torch, and check cheaply that a file is complete.

Layout: 8 bytes little-endian length, that much JSON, then the tensors' bytes without a gap
(https://huggingface.co/docs/safetensors). The header says where the data ends, so a file that is cut short is noticed
at once. Own code, not ``safetensors.safe_open``: it accepts headers of 100 MB and does not say how many bytes are
missing.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.engine.cache.ctranslate import is_converted, read_converted
from workbench.engine.cache.links import LINK_MAX_BYTES, blob_in_text, is_blob_name
from workbench.engine.catalog.plain import first_line
from workbench.engine.errors import WeightsError
from workbench.engine.visible import quoted

HEADER_MAX_BYTES = 4_000_000  # E2TTS_Base, the longest here, has 60,000
MAX_AXES = 8
MAX_ELEMENTS = 2**40
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
ITEM_BYTES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}
_FETCH_AGAIN = "Fetch or copy the file again."


@dataclass(frozen=True)
class TensorInfo:
    """Type ("F32", "F16", ...), shape and size of one tensor in a file, and its first byte among the tensors."""

    dtype: str
    shape: tuple[int, ...]
    n_bytes: int
    first: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Header:
    """Tensors and metadata of a safetensors file."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    n_bytes: int  # of the whole file

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Shape of the tensor ``name``; None if the file does not hold it."""
        info = self.tensors.get(name)
        return info.shape if info else None


def n_elements(shape: Any) -> int:
    """Number of elements of a tensor of ``shape``. Raises ValueError if it is not a list of at most 8 whole numbers."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_AXES:
        raise ValueError("a shape is not a list of a few numbers")
    count = 1
    for length in shape:
        if type(length) is not int or not 0 <= length <= MAX_ELEMENTS:
            raise ValueError(f"a length is {quoted(length)}")
        count *= length
    return count


def _tensor(name: str, entry: Any) -> tuple[TensorInfo, int, int]:
    """(tensor, first byte, end) of one entry. Raises ValueError."""
    if not isinstance(entry, dict):
        raise ValueError(f"{quoted(name)} is {quoted(entry)}")
    offsets, dtype = entry.get("data_offsets"), entry.get("dtype")
    if not isinstance(offsets, list) or [type(x) for x in offsets] != [int, int]:
        raise ValueError(f"{quoted(name)} has no place in the file")
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise ValueError(f"{quoted(name)} has the type {quoted(dtype)}")
    first, end = offsets
    if end - first != n_elements(entry.get("shape")) * ITEM_BYTES[dtype]:
        raise ValueError(f"{quoted(name)} does not fit its shape")
    return TensorInfo(dtype, tuple(entry["shape"]), end - first, first), first, end


def _parse(path: Path, raw: bytes, data_bytes: int) -> Header:
    """Parse the JSON part; ``data_bytes`` is the number of bytes after it in the file."""
    try:
        table = json.loads(raw)
        if not isinstance(table, dict):
            raise ValueError("it is not a table of tensors")
        metadata = table.pop("__metadata__", None) or {}
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata is not text")
        placed = {name: _tensor(name, entry) for name, entry in table.items()}
        end = 0
        for name, (_, first, last) in sorted(placed.items(), key=lambda item: item[1][1:]):
            if first != end:
                raise ValueError(f"{quoted(name)} does not begin where another tensor ends")
            end = last
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file: its header cannot be read ({first_line(error)}).", remedy=_FETCH_AGAIN
        ) from error
    if end > data_bytes:
        raise WeightsError(
            f"{path} is cut short: {end - data_bytes} of {end} bytes of its tensors are missing.", remedy=_FETCH_AGAIN
        )
    if end < data_bytes:
        raise WeightsError(f"{path} has {data_bytes - end} bytes after its last tensor.", remedy=_FETCH_AGAIN)
    return Header({name: info for name, (info, _, _) in placed.items()}, metadata, 8 + len(raw) + data_bytes)


def is_safetensors(path: Path) -> bool:
    """Whether ``path`` is to be read as safetensors: by its suffix, or where it has none (a blob), by its first bytes.

    Raises:
        WeightsError: it cannot be read.
    """
    if path.suffix in (".safetensors", *PICKLES):
        return path.suffix == ".safetensors"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return _suffix_of(file.read(9)) == ".safetensors"
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).", remedy=_FETCH_AGAIN) from error


def read_header(path: Path) -> Header:
    """Names, types and shapes of the tensors in a safetensors file, in milliseconds, without reading the tensors.

    Raises:
        WeightsError: the file is missing, cut short, or not safetensors.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for its other end
            raise WeightsError(f"{path} is not a file.", remedy=_FETCH_AGAIN)
        size = found.st_size
        with path.open("rb") as file:
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            raw = file.read(length) if 2 <= length <= HEADER_MAX_BYTES else b""
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).", remedy=_FETCH_AGAIN) from error
    if not raw:
        raise WeightsError(f"{path} is not a safetensors file ({size} bytes, no header).", remedy=_FETCH_AGAIN)
    if len(raw) < length:
        raise WeightsError(f"{path} is cut short within its header.", remedy=_FETCH_AGAIN)
    return _parse(path, raw, size - 8 - length)


def _disguise(start: bytes) -> str:
    """What the file is instead, by its first bytes; empty if nothing else."""
    if start.startswith(b"\0\5\x16\7"):
        return "is a note of macOS about the file (._), not the file itself"
    if blob := blob_in_text(start):
        return f"is a link that became a text file, and its blob {blob[:12]} is not here"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself"
    if start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not the file itself"
    return ""


def _pickle_problem(path: Path, start: bytes) -> str:
    """Why the file cannot be a torch checkpoint: a zip file, or a pickle before torch 1.6; empty if it can."""
    if start.startswith(b"PK"):
        try:
            return "" if zipfile.is_zipfile(path) else "is cut short (a torch file without its end)"
        except zipfile.BadZipFile as error:
            return f"is damaged ({first_line(error)})"
    return "" if start[:1] == b"\x80" else "is not a torch checkpoint"


def _unreadable(path: Path, error: OSError) -> str:
    """Why the file cannot be read, as a phrase."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "is a broken link" if os.path.islink(path) else "is missing"
    return f"cannot be read ({error.strerror or error})"


def file_problem(path: Path, size: int | None = None) -> str:
    """Why ``path`` cannot be used, as a phrase; empty if it looks complete. Reads a few kilobytes, computes no hash.

    Args:
        size: expected size in bytes, if known.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "is a folder" if stat.S_ISDIR(found.st_mode) else "is not a file"
        with path.open("rb") as file:
            start = file.read(LINK_MAX_BYTES + 1)
        return _content_problem(path, start, found.st_size, size)
    except OSError as error:
        return _unreadable(path, error)


def _content_problem(path: Path, start: bytes, actual: int, size: int | None) -> str:
    """What is wrong with the size or the first bytes, as a phrase; empty if nothing."""
    if actual == 0:
        return "is empty"
    if _disguise(start):
        return _disguise(start)
    if size is not None and actual != size:
        return f"has {actual} bytes instead of {size}"
    suffix = path.suffix or (_suffix_of(start) if is_blob_name(path.name) else "")
    try:
        if is_converted(start):
            read_converted(path)
        elif suffix in PICKLES:
            return _pickle_problem(path, start)
        elif suffix == ".safetensors":
            read_header(path)
    except WeightsError as error:
        return error.what.removeprefix(f"{path} ").rstrip(".")
    return ""


def _suffix_of(start: bytes) -> str:
    """The suffix that a blob has where it is linked, by its first bytes; empty for text."""
    if start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= HEADER_MAX_BYTES:
        return ".safetensors"
    return ".pt" if start[:2] == b"PK" or start[:1] == b"\x80" else ""
