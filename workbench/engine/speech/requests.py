"""A request for speech as one JSON-able value, used by jobs, command line, sweeps and workers."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from workbench.engine.errors import SettingsError
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.visible import quoted

_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}


_kept_hints = lru_cache(typing.get_type_hints)


def _hints(owner: Any) -> dict[str, Any]:
    """Return the type of each field by name."""
    return _kept_hints(owner)


class _Value:
    """Base of frozen, JSON-able dataclasses that check the types of their fields."""

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            value = getattr(self, name)
            if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
                wanted = _KINDS.get(hint, "what it must be")
                raise SettingsError(
                    f"{name} is {quoted(value)}, not {wanted}.", remedy=f"Correct {type(self).__name__}.{name}."
                )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with ``changes``."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        values = ((name, getattr(self, name)) for name in _hints(type(self)))
        return {name: value.as_dict() if hasattr(value, "as_dict") else value for name, value in values}

    @classmethod
    def from_dict(cls, given: Any) -> Self:
        """Return the value of a dict from ``as_dict``; missing fields get their defaults.

        Raises:
            SettingsError: a field is unknown, missing without default, of a wrong type, or out of range.
        """
        if not isinstance(given, Mapping):
            raise SettingsError(f"{cls.__name__} is {quoted(given)}, not an object.", remedy="Give its fields by name.")
        hints = _hints(cls)
        unknown = [name for name in given if name not in hints]
        if unknown:
            raise SettingsError(
                f"{cls.__name__} has no field {quoted(unknown[0])}.", remedy=f"Known: {', '.join(hints)}."
            )
        needed = [f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING]  # type: ignore[arg-type]
        missing = [name for name in needed if name not in given]
        if missing:
            raise SettingsError(f"{cls.__name__}.{missing[0]} is missing.", remedy="Give it a value.")
        return cls(**{name: _built(hints[name], value) for name, value in given.items()})


def _built(hint: Any, value: Any) -> Any:
    """Return ``value`` as the dataclass in ``hint``; unchanged if there is none."""
    kind, optional = _kind(hint)
    return value if kind is None or (value is None and optional) else kind.from_dict(value)


@lru_cache
def _kind(hint: Any) -> tuple[Any, bool]:
    """The dataclass that ``hint`` names, or None; and whether None will do for it."""
    kinds: tuple[Any, ...] = typing.get_args(hint) or (hint,)
    return next((k for k in kinds if dataclasses.is_dataclass(k)), None), type(None) in kinds


@dataclass(frozen=True)
class VoiceRef(_Value):
    """A voice without its samples.

    Attributes:
        id: as ``Voice.id``; a restored voice must have it.
        name: shown to users.
        ref_text: words of the recording.
        language: such as "en", or "".
        recording: file of the recording, original or prepared (as in a run); "" for a bundled voice, or for one
            that the speaking process has in memory.
        heard_by: recogniser that filled in ``ref_text``; "" if a person wrote it.
    """

    id: str
    name: str
    ref_text: str
    language: str = ""
    recording: str = ""
    heard_by: str = ""


@dataclass(frozen=True)
class Remake(_Value):
    """One chunk of a saved run to make again; the others stay unchanged.

    Attributes:
        run: id of the run.
        chunk: index of the chunk.
        seed: new seed of its noise; None keeps the old one.
        words: new words; None keeps the old ones.
    """

    run: str
    chunk: int
    seed: int | None = None
    words: str | None = None


@dataclass(frozen=True)
class SpeechRequest(_Value):
    """A complete request for speech. Another process can speak it from its JSON alone.

    Attributes:
        text: text to speak; of the whole run if one chunk is made again.
        voice: the voice.
        settings: knobs of synthesis.
        model: name in the catalogue.
        folder: searched for the model's files before the caches, or "".
        random_weights: use the model's architecture with random weights.
        load: knobs of loading.
        remake: the chunk to make again; None speaks all of ``text``.
        sweep: name of the sweep that the request belongs to, or "".
        reuse: take chunks from the chunk store if they were made before. Their samples are the same, but not their
            time: turn it off to measure.
        profile: trace every operation of the device, which slows the run. No chunk is reused then.
    """

    text: str
    voice: VoiceRef
    settings: SynthesisSettings = field(default_factory=SynthesisSettings)
    model: str = "demo-voice"
    folder: str = ""
    random_weights: bool = False
    load: LoadSettings = field(default_factory=LoadSettings)
    remake: Remake | None = None
    sweep: str = ""
    reuse: bool = False
    profile: bool = False


def load_as_made(
    asked: Mapping[str, Any], device: str, dtype: str, environment: Mapping[str, str], weights: Mapping[str, str]
) -> dict[str, Any]:
    """Name to value of each load setting of a run: as it was ``asked``, but where the run records what "auto" became.

    Device and number format are recorded by themselves, EMA or raw as "layer" in ``weights``, others under their name
    in ``environment``, before a comma.
    """
    made = {"device": device, "dtype": dtype}
    recorded_as = {**environment, "weights": weights.get("layer", "")}
    for knob in dataclasses.fields(LoadSettings):
        recorded = recorded_as.get(knob.name, "").split(",")[0]
        if recorded in (knob.metadata["choices"] or ()):
            made[knob.name] = recorded
    return {**asked, **made}
