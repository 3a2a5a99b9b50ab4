"""Read weights from files and build upstream's classes for them. Code in a file is never run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from workbench.engine import upstream
from workbench.engine.cache.headers import read_header
from workbench.engine.cache.imports.checkpoints import read_storages
from workbench.engine.cache.imports.vocab import read_vocabulary
from workbench.engine.catalog import ModelSpec, VocoderConfig
from workbench.engine.catalog.plain import first_line, quoted
from workbench.engine.errors import ImportRefused, WeightsError

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
_LEGACY_KEYS = ("mel_spec.mel_stft.mel_scale.fb", "mel_spec.mel_stft.spectrogram.window")


def read_state(path: Path) -> dict[str, Any]:
    """Tensors of a safetensors file or of a checkpoint in any of upstream's layouts; the EMA weights if present.

    Raises:
        WeightsError: the file is missing, cut short or damaged, or a pickle that would run code.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        try:
            return _read_checkpoint(path)
        except ImportRefused as error:
            raise WeightsError(error.what, remedy=error.remedy) from error
    read_header(path)
    try:
        return load_file(path)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read, it is cut short or damaged ({first_line(error)}).",
            remedy="Run `python -m workbench cache verify`, then fetch or import it again.",
        ) from error


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors that inference needs, made from bytes: a file can make torch's unpickler allocate any memory."""
    import torch

    found = {}
    for storage, raw, places in read_storages(path):
        kind = getattr(torch, _TORCH_TYPES[storage.dtype])
        block = torch.frombuffer(bytearray(raw), dtype=kind) if raw else torch.empty(0, dtype=kind)
        for name, place in places.items():
            found[name] = block.as_strided(place.shape, place.stride, place.offset)
    return found


def acoustic_state(tensors: dict[str, Any]) -> dict[str, Any]:
    """The weights under the CFM's names, without the entries that upstream's loader drops."""
    return {
        key.removeprefix("ema_model."): value
        for key, value in tensors.items()
        if key not in ("initted", "step", "update") and key.removeprefix("ema_model.") not in _LEGACY_KEYS
    }


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
            + ([f"{len(foreign)} are foreign, such as {quoted(foreign[0])[1:-1]}"] if foreign else [])
            + ([f"{changed[0]} is {tuple(state[changed[0]].shape)}, not {expected[changed[0]]}"] if changed else [])
            + ([f"{whole[0]} holds {state[whole[0]].dtype}, not floating-point numbers"] if whole else [])
        )
        raise WeightsError(
            f"{path.name} does not hold {title}: {'; '.join(found)}.",
            remedy="It belongs to another architecture or vocabulary: import it under its own config.",
        )
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)
