"""Read the head of CTranslate2's model.bin: whose weights it holds, their shapes, and whether it is whole.

The layout is that of CTranslate2's own reader (binary versions 4 to 6, little-endian): version, name and revision of
the specification, the number of variables; of each its name, shape, type, length in bytes and content; then aliases.
Each length is stated, so a file that is cut short is noticed without reading the contents.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workbench.engine.errors import WeightsError

_VERSIONS = range(4, 7)
_MAX_VARIABLES, _MAX_NAME, _MAX_AXES = 20_000, 512, 8
_REMEDY = "Fetch or copy it again."


@dataclass(frozen=True)
class Converted:
    """What a model.bin holds: the specification's name ("WhisperSpec") and the shape of each variable."""

    spec: str
    shapes: dict[str, tuple[int, ...]]


def is_converted(start: bytes) -> bool:
    """Whether ``start``, the first bytes of a file, are those of a model of CTranslate2."""
    if len(start) < 16 or struct.unpack_from("<I", start)[0] not in range(2, 32):
        return False
    length = struct.unpack_from("<H", start, 4)[0]
    return 2 < length < 50 and start[6 : 6 + length].endswith(b"Spec\0")


def read_converted(path: Path) -> Converted:
    """Specification and shapes of the model.bin at ``path``.

    Raises:
        WeightsError: it is no such file, or cut short; the message begins with the path.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if not is_converted(file.read(64)):
            raise WeightsError(f"{path} is not a model of CTranslate2.", remedy=_REMEDY)
        file.seek(0)
        try:
            return _walk(file, size)
        except (EOFError, struct.error):
            raise WeightsError(f"{path} is cut short ({size:,} bytes).", remedy=_REMEDY) from None
        except ValueError as error:
            raise WeightsError(f"{path} is damaged ({error}).", remedy=_REMEDY) from error


def _take(file: BinaryIO, n_bytes: int) -> bytes:
    content = file.read(n_bytes)
    if len(content) < n_bytes:
        raise EOFError
    return content


def _number(file: BinaryIO, kind: str) -> int:
    found: int = struct.unpack("<" + kind, _take(file, struct.calcsize("<" + kind)))[0]
    return found


def _name(file: BinaryIO) -> str:
    length = _number(file, "H")
    if not 0 < length <= _MAX_NAME:
        raise ValueError(f"a name of {length} bytes")
    return _take(file, length).rstrip(b"\0").decode("utf-8")


def _walk(file: BinaryIO, size: int) -> Converted:
    """Everything but the contents. Raises ValueError for values that no converter writes, EOFError at the end."""
    version = _number(file, "I")
    if version not in _VERSIONS:
        raise ValueError(f"its binary version {version} is not one of {_VERSIONS.start} to {_VERSIONS.stop - 1}")
    spec, _revision, count = _name(file), _number(file, "I"), _number(file, "I")
    if count > _MAX_VARIABLES:
        raise ValueError(f"{count:,} variables")
    shapes = {}
    for _ in range(count):
        name, axes = _name(file), _number(file, "B")
        if axes > _MAX_AXES:
            raise ValueError(f"a variable with {axes} axes")
        shapes[name] = tuple(_number(file, "I") for _ in range(axes))
        _kind, length = _number(file, "B"), _number(file, "I")
        if file.seek(length, os.SEEK_CUR) > size:
            raise EOFError
    for _ in range(_number(file, "I")):  # aliases
        _name(file), _name(file)
    if file.tell() != size:
        raise ValueError(f"{size - file.tell():,} bytes after its end")
    return Converted(spec, shapes)
