"""Read the object in a torch checkpoint without running its pickle.

A pickle is a program. This reader interprets the few instructions that ``torch.save`` writes for tables of tensors, in
a bounded number of bytes, and builds only dicts, lists, strings and numbers. A call that rebuilds a tensor becomes a
record of its place and shape; any other call ends the reading.

``torch.load(weights_only=True)`` is no guard here: measured with torch 2.13, 26 bytes make it allocate 1.4 GB
(``bytearray(1500000000)``), and a tuple nested three million deep as a key ends the process.
"""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass
from typing import Any

from workbench.engine.cache.headers import ITEM_BYTES, MAX_ELEMENTS, TensorInfo, n_elements
from workbench.engine.visible import quoted

MAX_INSTRUCTIONS = 400_000  # a training checkpoint of F5TTS_v1_Base with its optimizer has about 60,000
STORAGES = {
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "DoubleStorage": "F64",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
_REBUILD = ("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = ("torch._utils", "_rebuild_parameter")
_TABLE = ("collections", "OrderedDict")
# what optimizers and schedulers put beside the weights; none is called, a stand-in takes its place
_IGNORED = {
    ("torch", "Size"),
    ("torch", "device"),
    ("torch.serialization", "_get_layout"),
    ("_codecs", "encode"),
    ("collections", "Counter"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("builtins", "complex"),
    *(("torch", name) for name in ("float16", "float32", "float64", "bfloat16", "int32", "int64", "bool")),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class NotPlain(Exception):
    """The pickle is damaged, or ``torch.save`` would not write it for plain weights. The message is one short line."""


class Foreign(NotPlain):
    """The pickle names a function or class that plain weights do not need."""


@dataclass(frozen=True)
class Storage:
    """A block of elements: key, type ("F32", ...) and number of elements."""

    key: str
    dtype: str
    n_elements: int

    @property
    def n_bytes(self) -> int:
        """Size of the block."""
        return self.n_elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place in its storage, all in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def info(self) -> TensorInfo:
        """Type, shape and size."""
        n_bytes = n_elements(self.shape) * ITEM_BYTES[self.storage.dtype]
        return TensorInfo(self.storage.dtype, self.shape, n_bytes)


@dataclass(frozen=True)
class _Name:
    module: str
    name: str


class _Ignored:
    """Replaces an object that weights do not need."""


_IGNORED_VALUE = _Ignored()
_MARK = object()


def _name(argument: str) -> Any:
    """The function or class that a GLOBAL instruction names. Raises Foreign."""
    module, _, name = argument.partition(" ")
    known = (module, name) in (_REBUILD, _PARAMETER, _TABLE) or (module, name) in _IGNORED
    if not known and not (module == "torch" and name in STORAGES):
        what = f"{module}.{name}"
        raise Foreign(f"it asks for {what[:80]!a}, which plain weights do not need".replace("'", ""))
    return _Name(module, name)


def _storage(given: Any) -> Storage:
    """The storage for ("storage", type, key, location, size); the format before torch 1.6 appends None."""
    if not isinstance(given, tuple) or len(given) not in (5, 6) or given[0] != "storage":
        raise NotPlain("a storage is described in another way")
    kind, key, size = given[1], given[2], given[4]
    if not isinstance(kind, _Name) or kind.name not in STORAGES or given[5:] not in ((), (None,)):
        raise NotPlain("a storage is of another kind")
    if not isinstance(key, str) or not key.isdecimal() or len(key) > 20 or type(size) is not int:
        raise NotPlain("a storage has no proper name or size")
    if not 0 <= size <= MAX_ELEMENTS:
        raise NotPlain(f"a storage has {quoted(size)} elements")
    return Storage(key, STORAGES[kind.name], size)


def _tensor(given: tuple[Any, ...]) -> StoredTensor:
    """The tensor of ``_rebuild_tensor_v2(storage, offset, shape, stride, ...)``. Raises NotPlain if it does not fit."""
    if len(given) < 4 or not isinstance(given[0], Storage):
        raise NotPlain("a tensor is described in another way")
    storage, offset, shape, stride = given[:4]
    if not isinstance(shape, tuple) or not isinstance(stride, tuple) or len(shape) != len(stride):
        raise NotPlain("a tensor has no proper shape")
    try:
        count = n_elements(shape)
        n_elements(stride)
        n_elements((offset,))
    except ValueError as error:
        raise NotPlain(f"a tensor is described wrongly: {error}") from error
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True)) if count else 0
    if count > storage.n_elements or (count and last >= storage.n_elements):
        raise NotPlain("a tensor reaches beyond its storage")
    return StoredTensor(storage, offset, shape, stride)


class _Machine:
    """The stack, the marks on it and the memo of one pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def since_mark(self) -> list[Any]:
        """Pop the last mark and everything above it; returns what was above."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                found = self.stack[at + 1 :]
                del self.stack[at:]
                return found
        raise NotPlain("a mark is missing")

    def put(self, pairs: list[Any]) -> None:
        """Put keys and values into the dict on top. Keeps string keys only: weights have no others."""
        table = self.stack[-1]
        if not isinstance(table, dict | _Ignored) or len(pairs) % 2:
            raise NotPlain("a value is put into something that is no table")
        if isinstance(table, dict):
            table.update((k, v) for k, v in zip(pairs[::2], pairs[1::2], strict=True) if isinstance(k, str))

    def extend(self, items: list[Any]) -> None:
        """Append ``items`` to the list on top."""
        if not isinstance(self.stack[-1], list | _Ignored):
            raise NotPlain("a value is put into something that is no list")
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def call(self) -> None:
        """Pop a function and its arguments; push the record that represents the result."""
        given, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(given, tuple):
            raise NotPlain("something is called that is no function")
        which = (function.module, function.name)
        if which == _REBUILD:
            self.stack.append(_tensor(given))
        elif which == _PARAMETER and given:
            self.stack.append(given[0])
        elif which == _TABLE:
            self.stack.append({})
        elif which in _IGNORED:
            self.stack.append(_IGNORED_VALUE)
        else:
            raise NotPlain(f"{function.name} is called")

    def step(self, name: str, argument: Any) -> None:
        """Run one instruction. Raises NotPlain, LookupError or TypeError."""
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif name in _TUPLES:
            taken = tuple(stack[-_TUPLES[name] :])
            stack[-_TUPLES[name] :] = [taken]
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_SET":
            stack.append(_IGNORED_VALUE)
        elif name == "SETITEMS":
            self.put(self.since_mark())
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self.put([key, value])
        elif name == "APPENDS":
            self.extend(self.since_mark())
        elif name == "APPEND":
            self.extend([stack.pop()])
        elif name == "GLOBAL":
            stack.append(_name(argument))
        elif name == "BINPERSID":
            storage = _storage(stack.pop())
            if self.storages.setdefault(storage.key, storage) != storage:
                raise NotPlain(f"the storage {storage.key} is described twice")
            stack.append(storage)
        elif name in ("REDUCE", "NEWOBJ"):
            self.call()
        elif name == "BUILD":  # attributes of a table, such as its _metadata, or of an object that is left out
            stack.pop()
        elif name != "PROTO":
            raise NotPlain(f"the instruction {name} does not occur in plain weights")


def read_pickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Read the pickle at the position of ``stream`` and move the position to its end.

    Returns:
        (object, key to storage). The object consists of dict, list, tuple, str, int, float, bool, None,
        ``StoredTensor``, and placeholders for objects that weights do not need.

    Raises:
        NotPlain: the pickle is damaged, or ``torch.save`` does not write such a one.
        Foreign: it names a function that plain weights do not need.
    """
    machine = _Machine()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number >= MAX_INSTRUCTIONS:
                raise NotPlain(f"more than {MAX_INSTRUCTIONS} instructions")
            if opcode.name == "STOP":
                return machine.stack.pop(), machine.storages
            machine.step(opcode.name, argument)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise NotPlain(f"damaged ({type(error).__name__})") from error
    raise NotPlain("it has no end")
