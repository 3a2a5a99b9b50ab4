"""Read weights from files and build upstream's classes for them. Code in a file is never run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from workbench.engine import upstream
from workbench.engine.cache.headers import is_safetensors, read_header
from workbench.engine.cache.imports.contents import read_contents
from workbench.engine.cache.imports.vocab import read_vocabulary
from workbench.engine.cache.imports.weights.checkpoints import read_storages
from workbench.engine.cache.imports.weights.fitting import misfit, wrong_vocabulary
from workbench.engine.cache.imports.weights.layers import VOCODER, Layer
from workbench.engine.catalog import ModelSpec, VocoderConfig
from workbench.engine.catalog.plain import first_line
from workbench.engine.errors import ImportRefused, WeightsError
from workbench.engine.visible import shorten, visible

_TORCH_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


class State(NamedTuple):
    """Weights ready to be loaded: "ema" or "raw", and name to tensor."""

    kind: str
    tensors: dict[str, Any]


def read_tensors(path: Path, wanted: Collection[str] | None = None) -> dict[str, Any]:
    """Tensors of a safetensors file or of a checkpoint, by path (see ``cache.imports.layers``).

    Args:
        wanted: the paths of those to read; None: all.

    Raises:
        WeightsError: the file is missing, cut short or damaged, or a pickle that would run code.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if not is_safetensors(path):
            return _read_checkpoint(path, wanted)
        names = [name for name in read_header(path).tensors if wanted is None or name in wanted]
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in names}
    except ImportRefused as error:
        raise WeightsError(error.what, remedy=error.remedy) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read, it is cut short or damaged ({first_line(error)}).",
            remedy="Run `python -m workbench cache verify`, then fetch or import it again.",
        ) from error


def _read_checkpoint(path: Path, wanted: Collection[str] | None) -> dict[str, Any]:
    """Tensors made from bytes: a file can make torch's unpickler allocate any memory."""
    import torch

    found = {}
    for storage, raw, places in read_storages(path, wanted):
        kind = getattr(torch, _TORCH_TYPES[storage.dtype])
        block = torch.frombuffer(bytearray(raw), dtype=kind) if raw else torch.empty(0, dtype=kind)
        for name, place in places.items():
            found[name] = block.as_strided(place.shape, place.stride, place.offset)
    return found


def acoustic_state(spec: ModelSpec, path: Path, wanted: str, vocab: dict[str, int], vocab_name: str) -> State:
    """The weights of ``spec`` under the CFM's names, and their kind.

    Args:
        wanted: "ema", "raw" or "auto", as ``LoadSettings.weights``.
        vocab, vocab_name: the vocabulary that they are used with, and the name of its file.

    Raises:
        WeightsError: they cannot be read, are not there, or are of another architecture or vocabulary.
    """
    with _as_weights_error():
        contents = read_contents(path)
        layer = contents.choose(spec.layer if wanted == "auto" else wanted)
        header = contents.header_of(layer)
        wrong = misfit(path.name, layer, header, (spec.backbone, spec.arch, spec.mel), spec.name)
        wrong = wrong or wrong_vocabulary(path.name, header, len(vocab), f"{vocab_name} has", path.parent)
        if wrong is not None:
            raise WeightsError(wrong[0], remedy=wrong[1])
    return State(layer.kind, _named(path, layer))


def vocoder_state(path: Path) -> dict[str, Any]:
    """The weights of a Vocos under its names. Raises WeightsError."""
    with _as_weights_error():
        return _named(path, read_contents(path, VOCODER).choose())


def _named(path: Path, layer: Layer) -> dict[str, Any]:
    tensors = read_tensors(path, layer.paths.values())
    return {name: tensors[place] for name, place in layer.paths.items()}


@contextmanager
def _as_weights_error() -> Iterator[None]:
    try:
        yield
    except ImportRefused as error:
        raise WeightsError(error.what, remedy=error.remedy) from error


def read_vocab(path: Path) -> dict[str, int]:
    """Token to index. A repeated token has its last index, as in upstream."""
    return {token: index for index, token in enumerate(read_vocabulary(path).tokens)}


def build_cfm(spec: ModelSpec, vocab: dict[str, int]) -> Any:
    """Upstream's CFM of ``spec`` with uninitialised weights, to be loaded afterwards."""
    upstream.install()
    from f5_tts import model as f5

    backbone = getattr(f5, spec.backbone)
    mel = spec.mel
    with _without_initialisation():
        return f5.CFM(
            transformer=backbone(**spec.arch, text_num_embeds=len(vocab), mel_dim=mel.n_mel_channels),
            mel_spec_kwargs=dataclasses.asdict(mel),
            odeint_kwargs={"method": "euler"},
            vocab_char_map=vocab,
        ).eval()


def _without_initialisation() -> Any:
    """A torch mode in which ``torch.nn.init`` does nothing: saves drawing 0.3 billion random numbers."""
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if getattr(function, "__module__", None) == "torch.nn.init":
                return kwargs.get("tensor", args[0] if args else None)
            return function(*args, **kwargs)

    return Skip()


def vocos_of(config: VocoderConfig) -> Any:
    """A Vocos of ``config`` with initialised weights."""
    upstream.install()
    from vocos import Vocos
    from vocos.feature_extractors import MelSpectrogramFeatures
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    parts = {name: part["init_args"] for name, part in config.as_dict().items()}
    return Vocos(
        MelSpectrogramFeatures(**parts["feature_extractor"]),
        VocosBackbone(**parts["backbone"]),
        ISTFTHead(**parts["head"]),
    )


def build_vocoder(config: VocoderConfig) -> Any:
    """A Vocos of ``config`` with uninitialised weights, to be loaded afterwards."""
    with _without_initialisation():
        return vocos_of(config).eval()


def load_strictly(module: Any, state: dict[str, Any], path: Path, title: str) -> None:
    """Load ``state`` in fp32. Raises WeightsError, in one line, if names, shapes or types differ from ``title``'s.

    Compares shapes first, so tensors that do not fit use no memory for a conversion.
    """
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    missing = sorted(expected.keys() - state.keys())
    foreign = sorted(state.keys() - expected.keys())
    both = sorted(expected.keys() & state.keys())
    changed = [k for k in both if expected[k] != tuple(state[k].shape)]
    whole = [k for k in both if not state[k].is_floating_point()]
    if missing or foreign or changed or whole:
        found = (
            ([f"{len(missing)} tensors are missing, such as {missing[0]}"] if missing else [])
            + ([f"{len(foreign)} are foreign, such as {shorten(visible(foreign[0]))}"] if foreign else [])
            + ([f"{changed[0]} is {tuple(state[changed[0]].shape)}, not {expected[changed[0]]}"] if changed else [])
            + ([f"{whole[0]} holds {state[whole[0]].dtype}, not floating-point numbers"] if whole else [])
        )
        raise WeightsError(
            f"{path.name} does not hold {title}: {'; '.join(found)}.",
            remedy="It belongs to another architecture or vocabulary: import it under its own config.",
        )
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)
