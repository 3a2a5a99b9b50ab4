"""Read the configuration of a Vocos: the classes it may name, and the bounds of their values.

A configuration names Python classes, and vocos would build any of them. Here it may name only the three classes of the
released vocoders, with values within bounds. Vocoders are built from a ``VocoderConfig``, never from the file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.catalog.fields import Field, number, one_of, read_fields, whole
from workbench.engine.catalog.plain import read_yaml
from workbench.engine.errors import WeightsError
from workbench.engine.settings import MelConfig
from workbench.engine.visible import quoted

_REMEDY = "Use the configuration of charactr/vocos-mel-24khz, with the sizes of your vocoder."

# padding must be centred: all counts of frames and samples in the workbench assume it
CLASSES: dict[str, tuple[str, dict[str, Field]]] = {
    "feature_extractor": (
        "vocos.feature_extractors.MelSpectrogramFeatures",
        {
            "sample_rate": whole(8_000, 48_000, default=24_000),
            "n_fft": whole(64, 8_192, multiple=2, default=1024),
            "hop_length": whole(16, 2_048, default=256),
            "n_mels": whole(16, 256, default=100),
            "padding": one_of("center", default="center"),
        },
    ),
    "backbone": (
        "vocos.models.VocosBackbone",
        {
            "input_channels": whole(16, 256),
            "dim": whole(8, 2_048),
            "intermediate_dim": whole(8, 8_192),
            "num_layers": whole(1, 32),
            "layer_scale_init_value": number(1e-8, 1.0, optional=True, default=None),
            "adanorm_num_embeddings": one_of(None, default=None),  # conditional models are vocos's own codecs
        },
    ),
    "head": (
        "vocos.heads.ISTFTHead",
        {
            "dim": whole(8, 2_048),
            "n_fft": whole(64, 8_192, multiple=2),
            "hop_length": whole(16, 2_048),
            "padding": one_of("center"),
        },
    ),
}


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of a Vocos on mel spectrograms, and the transforms at its input and output."""

    dim: int
    intermediate_dim: int
    num_layers: int
    sample_rate: int = 24_000  # Hz
    n_fft: int = 1024  # samples
    hop_length: int = 256  # samples
    n_mels: int = 100
    layer_scale_init_value: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The configuration in the layout of Vocos's config.yaml."""
        transform = {"n_fft": self.n_fft, "hop_length": self.hop_length, "padding": "center"}
        backbone: dict[str, float] = {"input_channels": self.n_mels, "dim": self.dim}
        backbone |= {"intermediate_dim": self.intermediate_dim, "num_layers": self.num_layers}
        if self.layer_scale_init_value is not None:
            backbone |= {"layer_scale_init_value": self.layer_scale_init_value}
        given = {
            "feature_extractor": {"sample_rate": self.sample_rate, "n_mels": self.n_mels} | transform,
            "backbone": backbone,
            "head": {"dim": self.dim} | transform,
        }
        return {part: {"class_path": CLASSES[part][0], "init_args": args} for part, args in given.items()}

    def check_fits(self, mel: MelConfig, path: Path) -> None:
        """Raise WeightsError if the vocoder expects another mel spectrogram than the acoustic model's."""
        pairs = (
            ("sample_rate", self.sample_rate, mel.target_sample_rate),
            ("n_fft", self.n_fft, mel.n_fft),
            ("hop_length", self.hop_length, mel.hop_length),
            ("n_mels", self.n_mels, mel.n_mel_channels),
        )
        other = [
            f"its {name} is {mine}, the acoustic model's {theirs}" for name, mine, theirs in pairs if mine != theirs
        ]
        if other:
            raise WeightsError(
                f"The vocoder of {path} is for another mel spectrogram: {'; '.join(other)}.",
                remedy="Use the vocoder that was trained for this model.",
            )


RELEASED = VocoderConfig(dim=512, intermediate_dim=1536, num_layers=8)
"""Configuration of charactr/vocos-mel-24khz, which every released model uses."""


def _part(name: str, table: Any, where: str) -> dict[str, Any]:
    """The arguments of one of the three classes, with its defaults for those not stated."""
    path, fields = CLASSES[name]
    if not isinstance(table, dict) or table.keys() - {"class_path", "init_args"}:
        raise WeightsError(f"{where}: {name} is not a class_path with its init_args.", remedy=_REMEDY)
    if table.get("class_path") != path:
        raise WeightsError(
            f"{where} names {quoted(table.get('class_path'))} as its {name}; only {path} is built.", remedy=_REMEDY
        )
    given = read_fields(table.get("init_args", {}), fields, f"{where}: {name}", _REMEDY)
    return {key: field.default for key, field in fields.items() if not field.required} | given


def check_vocoder(table: Any, where: str = "The vocoder's configuration") -> VocoderConfig:
    """The values of a configuration in the layout of Vocos's config.yaml.

    Args:
        where: the file, for the message.

    Raises:
        WeightsError: another class, an unknown argument, a value out of bounds, or values that do not fit together.
    """
    if not isinstance(table, dict) or table.keys() != CLASSES.keys():
        raise WeightsError(f"{where} is not a configuration of Vocos: {', '.join(CLASSES)}.", remedy=_REMEDY)
    features, backbone, head = (_part(name, table[name], where) for name in CLASSES)
    pairs = (
        ("backbone.input_channels", backbone["input_channels"], "feature_extractor.n_mels", features["n_mels"]),
        ("head.dim", head["dim"], "backbone.dim", backbone["dim"]),
        ("head.n_fft", head["n_fft"], "feature_extractor.n_fft", features["n_fft"]),
        ("head.hop_length", head["hop_length"], "feature_extractor.hop_length", features["hop_length"]),
    )
    for name, value, other, wanted in pairs:
        if value != wanted:
            raise WeightsError(f"{where}: {name} is {value}, but {other} is {wanted}.", remedy=_REMEDY)
    if features["hop_length"] * 2 > features["n_fft"]:
        raise WeightsError(
            f"{where}: hop_length {features['hop_length']} is over half of n_fft {features['n_fft']}.", remedy=_REMEDY
        )
    both = features | backbone
    return VocoderConfig(**{f.name: both[f.name] for f in dataclasses.fields(VocoderConfig)})


def read_vocoder(path: Path) -> VocoderConfig:
    """The checked values of a vocoder's config.yaml. Raises WeightsError as ``check_vocoder`` does."""
    return check_vocoder(read_yaml(path, "a configuration of Vocos", _REMEDY), str(path))
