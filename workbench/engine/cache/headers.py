"""The header of a safetensors file, read without torch, and cheap checks that a file is whole.

Layout: 8 bytes little-endian length, that much JSON, then the tensors' bytes without a gap
(https://huggingface.co/docs/safetensors). The header says where the data ends, so a cut-off file shows at once.
"""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.errors import WeightsError

HEADER_MAX_BYTES = 100_000_000  # the limit of the safetensors library itself
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
_ITEM_BYTES = {
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
    """Type ("F32", "F16", ...), shape and size of one tensor in a file."""

    dtype: str
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    n_bytes: int  # of the whole file

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Shape of the tensor called ``name``, None if there is none."""
        info = self.tensors.get(name)
        return info.shape if info else None


def _parse(path: Path, raw: bytes, data_bytes: int) -> Header:
    """The JSON part; ``data_bytes`` is what follows it in the file."""
    try:
        table = json.loads(raw)
        metadata = dict(table.pop("__metadata__", None) or {})
        tensors, end = {}, 0
        for name, entry in table.items():
            first, last = (int(x) for x in entry["data_offsets"])
            shape = tuple(int(x) for x in entry["shape"])
            count = 1
            for length in shape:
                count *= length
            item = _ITEM_BYTES.get(entry["dtype"])
            if first < 0 or last < first or (item and last - first != count * item):
                raise ValueError(f"{name} does not fit its shape")
            tensors[name], end = TensorInfo(entry["dtype"], shape, last - first), max(end, last)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file: its header cannot be read ({error}).", remedy=_FETCH_AGAIN
        ) from error
    if end > data_bytes:
        raise WeightsError(
            f"{path} is cut short: {end - data_bytes} of {end} bytes of its tensors are missing.", remedy=_FETCH_AGAIN
        )
    if end < data_bytes:
        raise WeightsError(f"{path} has {data_bytes - end} bytes after its last tensor.", remedy=_FETCH_AGAIN)
    return Header(tensors, metadata, 8 + len(raw) + data_bytes)


def read_header(path: Path) -> Header:
    """Names, types and shapes of the tensors in a safetensors file, in milliseconds, without reading the tensors.

    Raises:
        WeightsError: the file is missing, cut short, or not safetensors.
    """
    try:
        size = path.stat().st_size
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
    """What a file really is, by its first bytes, if it is something people mistake for the real thing."""
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself"
    if start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not the file itself"
    return ""


def _pickle_problem(path: Path, start: bytes) -> str:
    """A torch checkpoint is a zip whose directory stands at the end, or (before torch 1.6) a bare pickle."""
    if start.startswith(b"PK"):
        return "" if zipfile.is_zipfile(path) else "is cut short (a torch file without its end)"
    return "" if start[:1] == b"\x80" else "is not a torch checkpoint"


def file_problem(path: Path, size: int | None = None) -> str:
    """Why ``path`` cannot be the file it should be, empty if it seems whole. Reads a few kilobytes, no hash.

    Args:
        size: the bytes it must have, if known.
    """
    try:
        actual = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return "is a broken link" if path.is_symlink() else "is missing"
    if actual == 0:
        return "is empty"
    if _disguise(start):
        return _disguise(start)
    if size is not None and actual != size:
        return f"has {actual} bytes instead of {size}"
    if path.suffix in PICKLES:
        return _pickle_problem(path, start)
    if path.suffix == ".safetensors":
        try:
            read_header(path)
        except WeightsError as error:
            return error.what.removeprefix(f"{path} ").rstrip(".")
    return ""
