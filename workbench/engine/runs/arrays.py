"""Read the arrays of a run from its .npz files with bounded memory.

The workbench writes .npz files without compression, so an array takes as much memory as disk. Other content (compressed
members, headers that state more data than follows, Python objects, thousands of names in a small file) is refused
before memory is allocated for it.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from workbench.engine.rules import TRAJECTORY_MAX_BYTES

MAX_BYTES = 512 * 2**20  # of one file: more than an hour of speech and its mel
MEMBER_MAX_BYTES = TRAJECTORY_MAX_BYTES + 2**20  # the largest array written: the states of a single chunk
MAX_MAGNITUDE = 1e4  # of samples, mels and states; models stay far below it
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_ENTRY_MAX_BYTES = 200  # of one entry in the directory of the zip
_UNREADABLE = (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)
_HEADER_FAULTS = (*_UNREADABLE, SyntaxError, TypeError, MemoryError)  # numpy parses it as a Python literal


class Arrays:
    """An open .npz file that reads each member on request. Use it as a context manager.

    Args:
        path: of the file.
        n_expected: largest allowed number of members.

    Raises:
        ValueError: the workbench did not write this file, or it is larger than ``MAX_BYTES``.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, n_expected: int) -> None:
        self._name = path.name
        if not path.is_file():
            raise ValueError(f"{path.name} is missing")
        self._file = path.open("rb")
        try:
            _check_directory(self._file, n_expected, path.name)
            self._zip = zipfile.ZipFile(self._file)
        except _UNREADABLE as error:
            self._file.close()
            raise ValueError(_described(path.name, error)) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._zip.NameToInfo

    def read(self, name: str, dtype: type, shape: tuple[int | None, ...]) -> np.ndarray:
        """Return the array ``name``. ``None`` in ``shape`` allows any size above 0.

        Raises:
            ValueError: the array is missing, damaged, or of another type or shape.
            OSError: it cannot be read.
        """
        try:
            found = _array(self._content(name))
        except _HEADER_FAULTS as error:
            raise ValueError(_described(f"{name} in {self._name}", error)) from error
        _check_array(found, f"{name} in {self._name}", dtype, shape)
        return found

    def _content(self, name: str) -> bytes:
        member = self._zip.NameToInfo.get(f"{name}.npy")
        if member is None:
            raise ValueError("is missing")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise ValueError("is compressed, which the workbench does not write")
        if member.file_size > MEMBER_MAX_BYTES:
            raise ValueError(f"has {member.file_size / 2**20:.0f} MB, more than a chunk can have")
        return self._zip.read(member)  # reads to the end, so that the checksum is compared


def _described(what: str, error: BaseException) -> str:
    """Return one line that names ``what`` and the error."""
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return reason if reason.startswith(what) else f"{what}: {reason}"


def _check_directory(file: io.BufferedReader, n_expected: int, name: str) -> None:
    """Raise ValueError unless the zip ends as NumPy writes it and lists at most ``n_expected`` members.

    Runs before ``zipfile`` reads the list, which takes memory for every entry.
    """
    size = file.seek(0, io.SEEK_END)
    if size > MAX_BYTES:
        raise ValueError(f"{name} has {size / 2**20:.0f} MB, more than the {MAX_BYTES >> 20} MB that are read at once")
    if size < _DIRECTORY_END.size:
        raise ValueError(f"{name} is cut short")
    file.seek(-_DIRECTORY_END.size, io.SEEK_END)
    mark, disk, start_disk, here, entries, list_bytes, at, comment = _DIRECTORY_END.unpack(file.read())
    if mark != b"PK\5\6" or comment or disk or start_disk or here != entries:
        raise ValueError(f"{name} is cut short")
    if at + list_bytes != size - _DIRECTORY_END.size:  # also true for a zip64 file, which has a second, longer list
        raise ValueError(f"{name} has bytes that belong to no array")
    if entries > n_expected or list_bytes > entries * _ENTRY_MAX_BYTES:
        raise ValueError(f"{name} lists {entries} arrays instead of at most {n_expected}")


def _array(content: bytes) -> np.ndarray:
    """Return the array in the bytes of a .npy file. Raises ValueError."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("is of a version that the workbench does not write")
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=2_000)
    except (tokenize.TokenError, SyntaxError, RecursionError) as error:  # NumPy parses the header as a Python literal
        raise ValueError("has a header that cannot be read") from error
    if dtype.kind != "f":
        raise ValueError(f"holds {dtype.name[:20]}, not numbers")
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError("has another length than its header states")
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy()  # writable, as torch expects


def _check_array(found: np.ndarray, name: str, dtype: type, shape: tuple[int | None, ...]) -> None:
    fits = len(found.shape) == len(shape) and all(
        have == wanted or (wanted is None and have > 0) for have, wanted in zip(found.shape, shape, strict=True)
    )
    if found.dtype != dtype or not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} is {found.dtype.name} {list(found.shape)}, not {np.dtype(dtype).name} [{wanted}]")
    # NaN fails both comparisons
    if found.size and not (found.max() <= MAX_MAGNITUDE and found.min() >= -MAX_MAGNITUDE):
        raise ValueError(f"{name} holds values that cannot be speech (not finite, or beyond {MAX_MAGNITUDE:.0f})")
