"""Read configurations of acoustic models: upstream's packaged YAML files, and files in their layout."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.engine.catalog.fields import Field, flag, number, one_of, read_fields, whole
from workbench.engine.catalog.plain import read_yaml
from workbench.engine.catalog.spec import DEMO_VOICE
from workbench.engine.errors import ModelError, WeightsError
from workbench.engine.files.places import home, shipped_voice
from workbench.engine.settings import MelConfig
from workbench.engine.visible import quoted

_REMEDY = "It needs model.backbone, model.arch and model.mel_spec, as in f5_tts/configs."

_ARCH: dict[str, Field] = {
    "dim": whole(16, 2_048, multiple=16),  # the position embedding convolves in 16 groups
    "depth": whole(1, 48, default=8),
    "heads": whole(1, 64, default=8),
    "dim_head": whole(4, 128, multiple=2, default=64),
    "ff_mult": number(0.25, 8, default=4),
    "text_dim": whole(4, 2_048, multiple=2, optional=True, default=None),
    "text_mask_padding": flag(True),
    "qk_norm": one_of(None, "rms_norm", default=None),
    "conv_layers": whole(0, 16, default=0),
    "pe_attn_head": whole(1, 64, optional=True, default=None),
    "attn_backend": one_of("torch", default="torch"),
    "attn_mask_enabled": flag(False),
}
ARCHS: dict[str, dict[str, Field]] = {
    "DiT": _ARCH
    | {
        "text_embedding_average_upsampling": flag(False),
        "long_skip_connection": flag(False),
        "checkpoint_activations": flag(False),
    },
    "UNetT": _ARCH
    | {
        "depth": whole(2, 48, multiple=2, default=8),
        "skip_connect_type": one_of("concat", "add", "none", default="concat"),
    },
}
"""Arguments of upstream's backbones that a configuration may set, besides vocabulary and mel channels."""

MEL: dict[str, Field] = {
    "target_sample_rate": whole(8_000, 48_000, default=24_000),
    "n_fft": whole(64, 8_192, multiple=2, default=1024),
    "win_length": whole(64, 8_192, multiple=2, default=1024),
    "hop_length": whole(16, 2_048, default=256),
    "n_mel_channels": whole(16, 256, multiple=2, default=100),
    "mel_spec_type": one_of("vocos", default="vocos"),
}


def upstream_folder() -> Path:
    """Folder of the package f5_tts, found without importing it. Raises ModelError if it is not installed."""
    spec = find_spec("f5_tts")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ModelError("The package f5_tts is not installed.", remedy="Run `pip install -r requirements.txt`.")
    return Path(places[0])


def packaged_vocab() -> Path:
    """The vocabulary of the released models, 2545 tokens, which f5_tts contains."""
    return upstream_folder() / "infer" / "examples" / "vocab.txt"


def bundled_folder() -> Path:
    """Folder of the demo voice: the one under ``home()``, else the one shipped with the package."""
    own = home() / "cache" / DEMO_VOICE
    return own if (own / "config.yaml").is_file() else shipped_voice()


def imported_folder() -> Path:
    """``cache/imported``: holds one folder for each imported model."""
    return home() / "cache" / "imported"


def _check_arch(backbone: str, arch: dict[str, Any], where: str) -> None:
    """Raise WeightsError for values that are valid alone but not together."""
    heads = arch.get("heads", _ARCH["heads"].default)
    if (arch.get("pe_attn_head") or 1) > heads:
        raise WeightsError(f"{where}: pe_attn_head is {arch['pe_attn_head']}, with {heads} heads.", remedy=_REMEDY)
    if arch.get("text_embedding_average_upsampling") and not arch.get("text_mask_padding", True):
        raise WeightsError(
            f"{where}: text_embedding_average_upsampling needs text_mask_padding.", remedy="Set both, or neither."
        )


def check_model(model: Any, where: str) -> tuple[str, dict[str, Any], MelConfig]:
    """Backbone, its keyword arguments and the mel settings of the ``model`` part of a configuration.

    Args:
        where: the file, for the message.

    Raises:
        WeightsError: an unknown argument, or a value that is out of bounds or unsupported.
    """
    if not isinstance(model, dict) or not {"backbone", "arch", "mel_spec"} <= model.keys():
        raise WeightsError(f"{where} is not a model configuration.", remedy=_REMEDY)
    backbone, arch = model["backbone"], model["arch"]
    if not isinstance(backbone, str) or backbone not in ARCHS:
        raise WeightsError(
            f"{where} asks for the backbone {quoted(backbone)}.", remedy=f"{' and '.join(ARCHS)} are known."
        )
    if model.get("tokenizer") == "byte":
        raise WeightsError(f"{where} asks for the tokenizer byte.", remedy="Use a model with a vocabulary.")
    if isinstance(arch, dict) and arch.get("attn_backend") == "flash_attn":
        raise WeightsError(
            f"{where} asks for attn_backend flash_attn, which is not supported here.",
            remedy="Write attn_backend: torch; weights and result are the same.",
        )
    if isinstance(model["mel_spec"], dict) and model["mel_spec"].get("mel_spec_type") == "bigvgan":
        raise WeightsError(
            f"{where} asks for the mel spectrogram of BigVGAN; only Vocos is supported here.",
            remedy="Use the variant of the model for Vocos.",
        )
    arch = read_fields(arch, ARCHS[backbone], f"{where}: arch", _REMEDY)
    _check_arch(backbone, arch, where)
    mel = MelConfig(**read_fields(model["mel_spec"], MEL, f"{where}: mel_spec", _REMEDY))
    if not mel.hop_length <= mel.win_length <= mel.n_fft:
        raise WeightsError(
            f"{where}: hop_length {mel.hop_length}, win_length {mel.win_length} and n_fft {mel.n_fft} do not fit.",
            remedy="The window must not be longer than n_fft, the hop not longer than the window.",
        )
    return backbone, arch, mel


def read_config(path: Path) -> tuple[str, dict[str, Any], MelConfig]:
    """Backbone, its keyword arguments and the mel settings of a YAML file in upstream's layout.

    Raises:
        WeightsError: the file cannot be read, has another layout, or describes an unsupported model.
    """
    return check_model(read_yaml(path, "a model configuration", _REMEDY).get("model"), str(path))


def describes_a_model(path: Path) -> bool:
    """Whether ``path`` holds a configuration in upstream's layout. Raises WeightsError if it is not plain YAML."""
    model = read_yaml(path, "a model configuration", _REMEDY).get("model")
    return isinstance(model, dict) and "arch" in model


@lru_cache(maxsize=16)
def packaged(config: str) -> tuple[str, dict[str, Any], MelConfig]:
    """``read_config`` of upstream's file ``config``, read once a process."""
    return read_config(upstream_folder() / "configs" / f"{config}.yaml")


def templates() -> tuple[str, ...]:
    """Names of upstream's configurations."""
    return tuple(sorted(p.stem for p in (upstream_folder() / "configs").glob("*.yaml")))
