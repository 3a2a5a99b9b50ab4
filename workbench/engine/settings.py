"""The knobs of the workbench with their defaults, each defined once; constants are in ``rules``.

Every knob is a dataclass field whose metadata holds its range, unit and help text. Command-line flags, form widgets,
sweep grids and the table in the documentation are read from it. Names and defaults are upstream's if upstream has the
knob (f5_tts/infer/utils_infer.py, version 1.1.22).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from workbench.engine.errors import SettingsError
from workbench.engine.visible import quoted


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] | None = None,
    step: float | None = None,
) -> Any:
    """Return a dataclass field with its description: range (inclusive), unit, choices, step and help."""
    return field(
        default=default,
        metadata={"low": low, "high": high, "unit": unit, "help": help, "choices": choices, "step": step},
    )


WEIGHTS = ("auto", "ema", "raw")  # of a checkpoint

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
    "str": (str, "a text"),
}


def number(value: float) -> str:
    """Return ``value`` as text: integers in full with thousands separators, other numbers with up to 6 digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def allowed(meta: Mapping[str, Any]) -> str:
    """Return the range or the choices of a knob in words, from its metadata; empty if it has neither."""
    if meta["choices"]:
        return f"one of {', '.join(meta['choices'])}"
    if meta["low"] is None:
        return ""
    unit = f" {meta['unit']}" if meta["unit"] else ""
    return f"between {number(meta['low'])} and {number(meta['high'])}{unit}"


def _check(owner: str, knob_field: dataclasses.Field[Any], value: Any) -> None:
    """Raise SettingsError, naming field, value and range, if ``value`` has the wrong type or is out of range."""
    meta, name = knob_field.metadata, knob_field.name
    if value is None:
        if "None" in str(knob_field.type):
            return
        raise SettingsError(f"{owner}.{name} is missing.", remedy="Give it a value.")
    wanted, words = _KINDS[str(knob_field.type).split(" | ")[0]]
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        remedy = f"Choose {allowed(meta)}." if allowed(meta) else meta["help"]
        raise SettingsError(f"{name} is {quoted(value)}, not {words}.", remedy=remedy)
    # written so that NaN, and an integer too large for a float, fail as well
    if meta["low"] is not None and not meta["low"] <= value <= meta["high"]:
        raise SettingsError(f"{name} is {quoted(value)}, out of its range.", remedy=f"Choose {allowed(meta)}.")
    if meta["choices"] and value not in meta["choices"]:
        raise SettingsError(f"{name} is {quoted(value)}, which is unknown.", remedy=f"Choose {allowed(meta)}.")


_looked_up = lru_cache(dataclasses.fields)


def _knobs(owner: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return ``dataclasses.fields``, looked up once per class, because lists of runs make many settings."""
    return _looked_up(owner)


@dataclass(frozen=True)
class _Checked:
    """Range checks on construction, and ``replace`` for a changed copy."""

    def __post_init__(self) -> None:
        for knob_field in _knobs(type(self)):
            _check(type(self).__name__, knob_field, getattr(self, knob_field.name))

    def replace(self, **changes: Any) -> Self:
        """Return a copy with ``changes``. Raises SettingsError for an unknown name or a wrong value."""
        return type(self)(**{**self.as_dict(), **self._known(changes)})

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        return {knob_field.name: getattr(self, knob_field.name) for knob_field in _knobs(type(self))}

    @classmethod
    def _known(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return ``given`` if all its names are fields. Raises SettingsError otherwise."""
        names = [knob_field.name for knob_field in _knobs(cls)]
        unknown = [name for name in given if name not in names]
        if unknown:
            raise SettingsError(f"There is no setting {quoted(unknown[0])}.", remedy=f"Known: {', '.join(names)}.")
        return given

    @classmethod
    def from_dict(cls, given: Any) -> Any:
        """Return the settings in a dict from ``as_dict``; missing ones get their defaults. Raises SettingsError."""
        if not isinstance(given, Mapping):
            raise SettingsError(f"{cls.__name__} is {quoted(given)}, not an object.", remedy="Give its fields by name.")
        return cls(**cls._known(given))


@dataclass(frozen=True)
class SynthesisSettings(_Checked):
    """Knobs of synthesis: upstream's, with upstream's names, and the workbench's own."""

    nfe_step: int = knob(
        32,
        "Steps of the ODE solver (NFE): more steps are finer and proportionally slower. "
        "5, 6, 7, 10, 12 and 16 have a pruned grid (EPSS).",
        low=1,
        high=128,
        unit="steps",
    )
    cfg_strength: float = knob(
        2.0,
        "Classifier-free guidance: strength of the push away from the unconditional flow. 0 turns it off and halves "
        "the computation.",
        low=0.0,
        high=10.0,
        step=0.1,
    )
    sway_sampling_coef: float | None = knob(
        -1.0,
        "Sway sampling: below 0, early steps are smaller; 0 is a uniform grid.",
        low=-1.0,
        high=1.0,
        step=0.1,
    )
    ode_method: str = knob(
        "euler",
        "Solver of the ODE. midpoint and rk4 evaluate the model 2 and 4 times per step.",
        choices=("euler", "midpoint", "rk4"),
    )
    use_epss: bool = knob(True, "Use the empirically pruned time grid if the number of steps has one.")
    speed: float = knob(
        1.0, "Speaking rate relative to the reference. Below 1 is slower.", low=0.3, high=3.0, unit="x", step=0.05
    )
    fix_duration: float | None = knob(
        None,
        "Total length of reference and speech in seconds, instead of the estimate from the text.",
        low=0.5,
        high=600.0,
        unit="s",
    )
    cross_fade_duration: float = knob(
        0.15,
        "Overlap between neighbouring chunks. 0 joins them without a cross-fade.",
        low=0.0,
        high=1.0,
        unit="s",
        step=0.01,
    )
    target_rms: float = knob(
        0.1,
        "A quieter reference is raised to this level for the model, and the speech is lowered by the same factor.",
        low=0.001,
        high=1.0,
        step=0.01,
    )
    max_chunk_bytes: int | None = knob(
        None,
        "Longest chunk of text in UTF-8 bytes. Unset: upstream's rule, the bytes that fit "
        "into 22 s together with the reference.",
        low=10,
        high=2000,
        unit="bytes",
    )
    numbers: str = knob(
        "auto",
        "Numbers: auto writes them as words before planning if the words of the model's language are known; off keeps "
        "the digits, as upstream does.",
        choices=("auto", "off"),
    )
    seed: int = knob(
        0, "Seed of the first chunk's noise; the next chunks use seed + 1, seed + 2, ...", low=0, high=2**31 - 1
    )
    keep_trajectory: bool = knob(False, "Keep the mel at every ODE step, for inspection.")


LOAD_DTYPES = ("auto", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class LoadSettings(_Checked):
    """Knobs of loading: device, number format and backend of the models."""

    device: str = knob(
        "auto",
        "Device: auto takes the first of cuda, xpu, mps, cpu that works. cuda:1 names the second of several GPUs.",
    )
    dtype: str = knob(
        "auto",
        "Number format of the acoustic model: auto is fp16 on a GPU that supports it, bf16 on a CPU that multiplies "
        "it much faster, else fp32.",
        choices=LOAD_DTYPES,
    )
    backend: str = knob(
        "auto",
        "Evaluation of the model: eager as upstream; graph replays a CUDA graph, with the same samples; lean uses "
        "fewer and faster operations. auto takes the fastest backend that the device and the model allow.",
        choices=("auto", "eager", "graph", "lean"),
    )
    weights: str = knob(
        "auto",
        "Which weights of a checkpoint with several: ema, the average over the training; raw, its last state, often "
        "better after few updates; auto takes what the import took, else ema where it is complete.",
        choices=WEIGHTS,
    )


@dataclass(frozen=True)
class BenchLoadSettings(LoadSettings):
    """Knobs of loading for the benchmark. The default number format is upstream's, so that only the engines differ."""

    dtype: str = knob(
        "upstream",
        "Number format of our engine: upstream is the format that upstream chooses; the others are those of synth.",
        choices=("upstream", *LOAD_DTYPES),
    )


@dataclass(frozen=True)
class LabLoadSettings(LoadSettings):
    """How the loading lab loads: by the one backend of all strategies, so that they differ in their loading only."""

    backend: str = knob("eager", "How the model is evaluated: upstream's way, as in its own app.", choices=("eager",))


@dataclass(frozen=True)
class MelConfig:
    """The mel spectrogram of a model. Every model carries its own; no other code repeats these numbers."""

    target_sample_rate: int = 24_000  # Hz
    n_fft: int = 1024  # samples
    win_length: int = 1024  # samples
    hop_length: int = 256  # samples
    n_mel_channels: int = 100
    mel_spec_type: str = "vocos"

    @property
    def frames_per_second(self) -> float:
        """Mel frames per second: 93.75 for every released model."""
        return self.target_sample_rate / self.hop_length

    def frames_of(self, n_samples: int) -> int:
        """Return the mel frames of ``n_samples``: one more than the whole hops, because the transform is centred."""
        return n_samples // self.hop_length + 1

    def samples_of(self, n_frames: int) -> int:
        """Return the samples that Vocos makes of ``n_frames``; its inverse transform is centred too."""
        return max(0, n_frames - 1) * self.hop_length


def describe(settings_class: type) -> list[dict[str, Any]]:
    """Return one row per knob: name, type, default, low, high, unit, choices, step, help."""
    return [
        {"name": f.name, "type": str(f.type), "default": f.default, **f.metadata}
        for f in dataclasses.fields(settings_class)
    ]
