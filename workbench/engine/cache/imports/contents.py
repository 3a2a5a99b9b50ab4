"""What lies in a weights file of either format, without its numbers: tensors by path, counters, EMA and raw weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench.engine.cache.headers import Header, is_safetensors, read_header
from workbench.engine.cache.imports.weights.checkpoints import read_checkpoint
from workbench.engine.cache.imports.weights.layers import ACOUSTIC, Layer, Layers, Shape, is_counter, sort_layers
from workbench.engine.cache.links import followed
from workbench.engine.errors import WeightsError

_INTEGERS = {"I64", "I32", "I16"}


@dataclass(frozen=True)
class Contents:
    """A weights file ``name``. ``header`` has its tensors by path; ``counters`` are numbers such as "update"."""

    name: str
    header: Header
    counters: dict[str, int]
    has_optimizer: bool = False
    shape: Shape = ACOUSTIC

    @cached_property
    def layers(self) -> Layers:
        """Its EMA and raw weights. Raises WeightsError if it holds several models."""
        try:
            return sort_layers(self.header.tensors, self.shape, self.counters)
        except WeightsError as error:
            raise WeightsError(f"{self.name}: {error.what}", remedy=error.remedy) from error

    def choose(self, wanted: str = "auto") -> Layer:
        """The weights to use. Raises WeightsError if there are none of the kind ``wanted``."""
        return self.layers.choose(wanted, self.name)

    def header_of(self, layer: Layer) -> Header:
        """The tensors of ``layer`` under the model's names."""
        return layer.header(self.header.tensors)


def read_contents(path: Path, shape: Shape = ACOUSTIC) -> Contents:
    """What lies in ``path``, or in the blob that it once was a link to, in milliseconds.

    Raises:
        WeightsError: missing, cut short or damaged.
        ImportRefused: a pickle that could run code, or without weights.
    """
    name, path = path.name, followed(path)
    if is_safetensors(path):
        header = read_header(path)
        optimizer = any(tensor.startswith("optim") for tensor in header.tensors)
        return Contents(name, header, _counters(path, header), optimizer, shape)
    found = read_checkpoint(path)
    return Contents(name, found.header, found.counters, found.has_optimizer, shape)


def _counters(path: Path, header: Header) -> dict[str, int]:
    """The whole numbers in a safetensors file that count updates: single elements, and words of its metadata."""
    found = {k: int(v) for k, v in header.metadata.items() if is_counter(k) and v.isdecimal() and len(v) < 20}
    start = header.n_bytes - max((t.first + t.n_bytes for t in header.tensors.values()), default=0)
    with path.open("rb") as file:
        for name, info in header.tensors.items():
            if is_counter(name) and info.dtype in _INTEGERS and info.shape in ((), (1,)):
                file.seek(start + info.first)
                found[name] = int.from_bytes(file.read(info.n_bytes), "little", signed=True)
    return found
