"""Read a torch checkpoint without torch and without running its pickle.

Two formats: a zip file with ``data.pkl`` and one member for each storage (torch 1.6 and later); before, four pickles, a
list of storages and their bytes. Memory is bounded by the size of the file.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workbench.engine.cache.headers import ITEM_BYTES, Header, file_problem
from workbench.engine.cache.imports.weights.layers import TABLE, is_counter
from workbench.engine.cache.imports.weights.pickles import Foreign, NotPlain, Storage, StoredTensor, read_pickle
from workbench.engine.errors import ImportRefused, WeightsError

PICKLE_MAX_BYTES = 8_000_000  # names and shapes only; the largest training checkpoint known here has 0.3 MB
DIRECTORY_MAX_BYTES = 4_000_000  # of a zip file: 30,000 members
TABLES_DEEP = 8  # tables within tables
_WHOLE = {"I64", "I32", "I16"}
_MAGIC = 0x1950A86A20F9469CFC6C
# what zipfile raises for a damaged file
_BROKEN = (
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """What lies in a file, by path (see ``layers``): tensors, and whole numbers that count the updates.

    ``places`` maps each tensor to its storage, offset, shape and stride, in elements.
    """

    header: Header
    places: dict[str, StoredTensor]
    counters: dict[str, int]
    has_optimizer: bool


def _leaves(top: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(path, value) of what the tables hold. A table that occurs twice is entered once: it may hold itself."""
    seen, waiting = {id(top)}, deque([("", top, 0)])
    while waiting:
        around, table, depth = waiting.popleft()
        for key, value in table.items():
            if not isinstance(value, dict):
                yield around + key, value
            elif depth < TABLES_DEEP and id(value) not in seen:
                seen.add(id(value))
                waiting.append((f"{around}{key}{TABLE}", value, depth + 1))


def _directory_bytes(file: BinaryIO) -> int:
    """Size in bytes of a zip file's directory, by its end record. Torch always writes ZIP64."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 22 - 20 - 56 - 65_535))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise NotPlain("its end is missing")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    wide = tail[at - 76 : at - 20] if at >= 76 else b""
    return int.from_bytes(wide[40:48], "little") if wide.startswith(b"PK\6\6") else length


class _Zipped:
    """The format of torch 1.6 and later."""

    def __init__(self, file: BinaryIO) -> None:
        length = _directory_bytes(file)
        if length > DIRECTORY_MAX_BYTES:
            raise NotPlain(f"its directory has {length} bytes")
        self.archive = zipfile.ZipFile(file)
        members = self.archive.infolist()
        if len({m.filename.casefold() for m in members}) < len(members):
            raise NotPlain("a name occurs twice in it")
        if any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members):
            raise NotPlain("its members are compressed, which torch never does")
        pickles = [m.filename for m in members if m.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise NotPlain(f"it has {len(pickles)} data.pkl")
        self.folder = pickles[0].removesuffix("data.pkl")
        if self.folder + "byteorder" in self.archive.namelist() and self.read("byteorder", 6) != b"little":
            raise NotPlain("it was written on a big-endian machine")
        self.top, _ = read_pickle(io.BytesIO(self.read("data.pkl", PICKLE_MAX_BYTES)))

    def read(self, name: str, limit: int) -> bytes:
        """Bytes of a member, checksum compared. Raises NotPlain if it has more than ``limit``."""
        size = self.archive.getinfo(self.folder + name).file_size
        if size > limit:
            raise NotPlain(f"{name} has {size} bytes")
        return self.archive.read(self.folder + name)

    def storage(self, key: str, n_bytes: int) -> bytes:
        return self.read(f"data/{key}", n_bytes)


class _Plain:
    """The format before torch 1.6: magic number, protocol, system, object, list of storages, then their bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        file.seek(0)
        start = io.BytesIO(file.read(PICKLE_MAX_BYTES))
        if read_pickle(start)[0] != _MAGIC:
            raise NotPlain("it does not begin with torch's magic number")
        read_pickle(start)
        system, _ = read_pickle(start)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise NotPlain("it was written on a big-endian machine")
        self.top, storages = read_pickle(start)
        keys, _ = read_pickle(start)
        self._find(keys, {key: ITEM_BYTES[storage.dtype] for key, storage in storages.items()}, start.tell())

    def _find(self, keys: Any, item_bytes: dict[str, int], at: int) -> None:
        """Find each storage: 8 bytes with its number of elements, then the elements."""
        self.places: dict[str, tuple[int, int]] = {}
        if not isinstance(keys, list) or len(keys) != len(item_bytes):
            raise NotPlain("its list of storages does not fit its tensors")
        for key in keys:
            self.file.seek(at)
            size = struct.unpack("<q", self.file.read(8))[0] * item_bytes[key]
            if size < 0:
                raise NotPlain(f"a storage has {size} bytes")
            self.places[key], at = (at + 8, size), at + 8 + size
            if at > 2**62:
                raise NotPlain(f"a storage has {size} bytes")

    def storage(self, key: str, n_bytes: int) -> bytes:
        at, size = self.places[key]
        self.file.seek(at)
        return self.file.read(n_bytes) if size == n_bytes else b""


@contextmanager
def _opened(path: Path) -> Iterator[_Zipped | _Plain]:
    """Open the file in its format. Raises WeightsError or ImportRefused for damage found here or in the block."""
    problem = file_problem(path)
    if problem:
        raise WeightsError(f"{path} {problem}.", remedy="Fetch or copy the file again.")
    try:
        with path.open("rb") as file:
            yield _Zipped(file) if zipfile.is_zipfile(file) else _Plain(file)
    except Foreign as error:
        raise ImportRefused(
            f"{path} is refused: {error}; reading it could run code.",
            remedy="Use a .safetensors file, or save the weights again from a source you trust.",
        ) from error
    except NotPlain as error:
        raise WeightsError(
            f"{path} is not a torch checkpoint, or damaged: {error}.", remedy="Fetch or copy the file again."
        ) from error
    except _BROKEN as error:
        raise WeightsError(
            f"{path} is not a torch checkpoint, or damaged ({type(error).__name__}).",
            remedy="Fetch or copy the file again.",
        ) from error


def _described(path: Path, found: _Zipped | _Plain) -> Checkpoint:
    """The tensors and counters, their size checked against that of the file."""
    top = found.top if isinstance(found.top, dict) else {}
    leaves = dict(_leaves(top))
    places = {name: value for name, value in leaves.items() if isinstance(value, StoredTensor)}
    if not places:
        raise ImportRefused(
            f"{path} holds no table of weights.", remedy="Give a checkpoint that upstream's trainer wrote."
        )
    size = path.stat().st_size
    storages = {place.storage for place in places.values()}
    tensors = {name: place.info for name, place in places.items()}
    if (total := sum(s.n_bytes for s in storages)) > size:
        raise NotPlain(f"its tensors have {total} bytes, the file {size}")
    counters = {name: value for name, value in leaves.items() if type(value) is int and is_counter(name)}
    for name, place in places.items():
        if is_counter(name) and place.storage.dtype in _WHOLE and place.storage.n_elements == 1:
            raw = found.storage(place.storage.key, place.storage.n_bytes)
            counters[name] = int.from_bytes(raw, "little", signed=True)
    optimizer = any(key.startswith("optim") for key in top)
    return Checkpoint(Header(tensors, {}, size), places, counters, optimizer)


def read_checkpoint(path: Path) -> Checkpoint:
    """Names and shapes of the tensors in a ``.pt`` file, without running its pickle.

    Raises:
        ImportRefused: the file names a function that plain weights do not need, or holds no weights.
        WeightsError: the file is cut short or not a checkpoint.
    """
    with _opened(path) as found:
        return _described(path, found)


def read_storages(
    path: Path, wanted: Collection[str] | None = None
) -> Iterator[tuple[Storage, bytes, dict[str, StoredTensor]]]:
    """Yield each storage with its bytes and its tensors by path.

    Args:
        wanted: paths of tensors to read; None: all.

    Raises:
        ImportRefused, WeightsError: as ``read_checkpoint``; or a checksum is wrong, bytes are missing, or the tensors
            share so many bytes that they would have more than the file.
    """
    with _opened(path) as found:
        within: dict[Storage, dict[str, StoredTensor]] = {}
        checkpoint = _described(path, found)
        places = {p: v for p, v in checkpoint.places.items() if wanted is None or p in wanted}
        total, size = sum(checkpoint.header.tensors[p].n_bytes for p in places), checkpoint.header.n_bytes
        if total > size:
            raise NotPlain(f"its tensors have {total} bytes, the file {size}")
        for name, place in places.items():
            within.setdefault(place.storage, {})[name] = place
        for storage, mine in within.items():
            raw = found.storage(storage.key, storage.n_bytes)
            if len(raw) != storage.n_bytes:
                raise NotPlain(f"storage {storage.key} does not have the {storage.n_bytes} bytes that its tensors need")
            yield storage, raw, mine
