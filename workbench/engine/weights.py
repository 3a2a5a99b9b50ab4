"""Weights from files, and upstream's classes to put them into. Plain tensors only: nothing a file says is ever run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from workbench.engine import compat
from workbench.engine.catalog import ModelSpec
from workbench.engine.errors import WeightsError

_LEGACY_KEYS = ("mel_spec.mel_stft.mel_scale.fb", "mel_spec.mel_stft.spectrogram.window")


def read_state(path: Path) -> dict[str, Any]:
    """Tensors of a safetensors file, or of a checkpoint read with ``weights_only=True``.

    Raises:
        WeightsError: missing, cut short, or a pickle that would run code.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"The weights {path} are missing.", remedy="Fetch or import the model again.") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} is refused: it is not plain weights, reading it could run code.",
            remedy="Use a safetensors file, or a checkpoint from a source you trust, saved anew.",
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path.name} cannot be read, it is cut short or damaged ({str(error).splitlines()[0]}).",
            remedy="Run `python -m workbench cache verify`, then fetch or import it again.",
        ) from error


def acoustic_state(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The EMA weights of a checkpoint in any of upstream's layouts, in fp32, under the CFM's own names."""
    for layer in ("ema_model_state_dict", "model_state_dict"):
        if isinstance(checkpoint.get(layer), dict):
            checkpoint = checkpoint[layer]
            break
    return {
        key.removeprefix("ema_model."): value.float()
        for key, value in checkpoint.items()
        if key not in ("initted", "step", "update") and key.removeprefix("ema_model.") not in _LEGACY_KEYS
    }


def read_vocab(path: Path) -> dict[str, int]:
    """Token to index. Accepts CRLF and a last line without its end, which upstream's reader would cut short."""
    lines = path.read_text(encoding="utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    return {token: index for index, token in enumerate(lines)}


def build_cfm(spec: ModelSpec, vocab: dict[str, int]) -> Any:
    """Upstream's CFM of ``spec``, its weights not initialised (they are about to be replaced)."""
    compat.install()
    from f5_tts import model as upstream

    backbone = getattr(upstream, spec.backbone)
    mel = spec.mel
    with _without_initialisation():
        return upstream.CFM(
            transformer=backbone(**spec.arch, text_num_embeds=len(vocab), mel_dim=mel.n_mel_channels),
            mel_spec_kwargs=dataclasses.asdict(mel),
            odeint_kwargs={"method": "euler"},
            vocab_char_map=vocab,
        ).eval()


def _without_initialisation() -> Any:
    """A mode in which ``torch.nn.init`` does nothing: a third of a billion random numbers that nobody will see."""
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if getattr(function, "__module__", None) == "torch.nn.init":
                return kwargs.get("tensor", args[0] if args else None)
            return function(*args, **kwargs)

    return Skip()


def vocos_config(dim: int, intermediate_dim: int, num_layers: int) -> dict[str, Any]:
    """A configuration of Vocos on the mel of F5-TTS, in the layout of its config.yaml; only the sizes are free."""
    transform = {"n_fft": 1024, "hop_length": 256, "padding": "center"}
    return {
        "feature_extractor": {
            "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
            "init_args": {"sample_rate": 24000, "n_mels": 100} | transform,
        },
        "backbone": {
            "class_path": "vocos.models.VocosBackbone",
            "init_args": {
                "input_channels": 100,
                "dim": dim,
                "intermediate_dim": intermediate_dim,
                "num_layers": num_layers,
            },
        },
        "head": {"class_path": "vocos.heads.ISTFTHead", "init_args": {"dim": dim} | transform},
    }


def build_vocoder(config: Path) -> Any:
    """Vocos as its configuration says; only classes of the vocos package are built.

    Raises:
        WeightsError: the configuration is not Vocos's, or names a class of another package.
    """
    import yaml

    compat.install()
    from vocos import Vocos

    try:
        parts = yaml.safe_load(config.read_text(encoding="utf-8"))
        foreign = [part["class_path"] for part in parts.values() if not part["class_path"].startswith("vocos.")]
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise WeightsError(f"{config} is not a configuration of Vocos.", remedy="Import the vocoder again.") from error
    if foreign:
        raise WeightsError(
            f"{config} names {foreign[0]}, which is not a part of Vocos.",
            remedy="Use the configuration of charactr/vocos-mel-24khz.",
        )
    with _without_initialisation():
        return Vocos.from_hparams(str(config)).eval()


def load_strictly(module: Any, state: dict[str, Any], path: Path, title: str) -> None:
    """Load ``state`` or say in one line how it differs from what ``title`` needs."""
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    missing = sorted(expected.keys() - state.keys())
    foreign = sorted(state.keys() - expected.keys())
    changed = sorted(k for k in expected.keys() & state.keys() if expected[k] != tuple(state[k].shape))
    if missing or foreign or changed:
        found = (
            ([f"{len(missing)} tensors are missing, such as {missing[0]}"] if missing else [])
            + ([f"{len(foreign)} are foreign, such as {foreign[0]}"] if foreign else [])
            + ([f"{changed[0]} is {tuple(state[changed[0]].shape)}, not {expected[changed[0]]}"] if changed else [])
        )
        raise WeightsError(
            f"{path.name} does not hold {title}: {'; '.join(found)}.",
            remedy="It belongs to another architecture or vocabulary: import it under its own config.",
        )
    module.load_state_dict(state, strict=True, assign=True)
