"""What a torch checkpoint holds, read without torch and without running anything in it.

A pickle names the functions that rebuild it, and a hostile one names os.system. This reader knows only those that torch
itself uses for plain tensors, replaces each by a stand-in that merely notes the shape, and refuses all others.
``torch.load(weights_only=True)`` has the final word when the weights are loaded.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.headers import Header, TensorInfo, file_problem
from workbench.engine.errors import ImportRefused, WeightsError

PICKLE_MAX_BYTES = 64_000_000  # names and shapes only; the largest training checkpoint known here has 0.3 MB
LAYERS = ("ema_model_state_dict", "model_state_dict", "state_dict")
_STORAGES = {
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "DoubleStorage": ("F64", 8),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
    "UntypedStorage": ("U8", 1),
}
_PLAIN = {
    ("torch", "Size"),
    ("torch", "device"),
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.storage", "UntypedStorage"),
    ("torch.storage", "TypedStorage"),
    ("torch.serialization", "_get_layout"),
    ("_codecs", "encode"),
    ("collections", "Counter"),
    ("builtins", "set"),
    ("builtins", "complex"),
}
_DTYPES = {"float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"}

# what damaged pickles and zip files make their readers raise
_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of the layer that inference uses, and whether a training's optimizer state takes room beside it."""

    header: Header
    layer: str
    has_optimizer: bool


class _StandIn:
    """Takes the place of a function or class of torch. Calling it notes a tensor's shape, if it makes one."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *given: Any, **_: Any) -> Any:
        if self.name in ("_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_tensor") and len(given) >= 3:
            dtype, item = given[0] if isinstance(given[0], tuple) else ("F32", 4)
            count = 1
            for length in given[2]:
                count *= int(length)
            return TensorInfo(dtype, tuple(int(x) for x in given[2]), count * item)
        if self.name.startswith("_rebuild_parameter") and given:
            return given[0]
        return None


class _Reader(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """Unpickles into stand-ins. Python's own implementation: the C one lets nine bytes allocate 34 GB (LONG_BINPUT)."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        known = (
            (module, name) in _PLAIN
            or (module == "torch" and (name in _STORAGES or name in _DTYPES))
            or (module == "torch._utils" and name.startswith("_rebuild_"))
        )
        if not known:
            raise ImportRefused(f"it asks for {module}.{name}, which plain weights do not need")
        return _StandIn(name)

    def persistent_load(self, pid: Any) -> Any:
        """("storage", type, key, location, size): the element type is all that matters here."""
        kind = pid[1] if isinstance(pid, tuple) and len(pid) > 1 else None
        return _STORAGES.get(getattr(kind, "name", ""), ("F32", 4))


def _unpickle(path: Path) -> Any:
    """The top object of a checkpoint of either format."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entry = next((i for i in archive.infolist() if i.filename.rpartition("/")[2] == "data.pkl"), None)
            if entry is None:
                raise ImportRefused("it has no data.pkl")
            if entry.file_size > PICKLE_MAX_BYTES:
                raise ImportRefused(f"its description alone has {entry.file_size} bytes")
            return _Reader(io.BytesIO(archive.read(entry))).load()
    with path.open("rb") as file:  # before torch 1.6: magic number, protocol, system, and then the object
        start = io.BytesIO(file.read(PICKLE_MAX_BYTES))
    top = _Reader(start).load()
    for _ in range(3 if isinstance(top, int) else 0):
        top = _Reader(start).load()
    return top


def read_checkpoint(path: Path) -> Checkpoint:
    """Names and shapes in a ``.pt`` file, without running what it asks for.

    Raises:
        ImportRefused: it asks for a function that plain weights do not need, or holds no weights.
        WeightsError: it is cut short or not a checkpoint.
    """
    problem = file_problem(path)
    if problem:
        raise WeightsError(f"{path} {problem}.", remedy="Fetch or copy the file again.")
    try:
        top = _unpickle(path)
    except ImportRefused as error:
        raise ImportRefused(
            f"{path} is refused: {error.what}; reading it could run code.",
            remedy="Use a .safetensors file, or save the weights anew from a source you trust.",
        ) from error
    except _BROKEN as error:
        raise WeightsError(
            f"{path} is not a torch checkpoint, or damaged ({type(error).__name__}).",
            remedy="Fetch or copy the file again.",
        ) from error
    layer = next((n for n in LAYERS if isinstance(top, dict) and isinstance(top.get(n), dict)), "")
    table = top[layer] if layer else top
    tensors = {str(n): t for n, t in table.items() if isinstance(t, TensorInfo)} if isinstance(table, dict) else {}
    if not tensors:
        raise ImportRefused(
            f"{path} holds no table of weights.", remedy="Give a checkpoint that upstream's trainer wrote."
        )
    return Checkpoint(Header(tensors, {}, path.stat().st_size), layer, "optimizer_state_dict" in top)
