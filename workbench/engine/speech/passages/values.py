"""Values of a request that become JSON and come back from it, with their types checked."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from workbench.engine.errors import SettingsError
from workbench.engine.visible import quoted

_KINDS = {str: "a text", int: "a whole number", bool: "true or false", dict: "names and values"}

_kept_hints = lru_cache(typing.get_type_hints)


def _hints(owner: Any) -> dict[str, Any]:
    """Return the type of each field by name."""
    return _kept_hints(owner)


class Value:
    """Base of frozen, JSON-able dataclasses that check the types of their fields."""

    def __post_init__(self) -> None:
        owner: Any = type(self)
        for name, hint, fits in _tests(owner):
            value = getattr(self, name)
            if not fits(value):
                wanted = _KINDS.get(typing.get_origin(hint) or hint, "what it must be")
                raise SettingsError(
                    f"{name} is {quoted(value)}, not {wanted}.", remedy=f"Correct {type(self).__name__}.{name}."
                )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with ``changes``."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        return {name: _plain(getattr(self, name)) for name in _hints(type(self))}

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


@lru_cache
def _tests(owner: Any) -> tuple[tuple[str, Any, Callable[[Any], bool]], ...]:
    """Name, type and test of each field, made once, because sweeps make many requests."""
    return tuple((name, hint, _test(hint)) for name, hint in _hints(owner).items())


def _test(hint: Any) -> Callable[[Any], bool]:
    """What tells whether a value has the type ``hint``; an integer is a number too, and true is neither."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return lambda value: isinstance(value, tuple) and all(isinstance(item, inner[0]) for item in value)
    if origin is dict:
        return lambda value: isinstance(value, dict)
    kinds: tuple[Any, ...] = inner or (hint,)
    kinds += (int,) if float in kinds else ()
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [item.as_dict() for item in value]
    if isinstance(value, dict):
        return dict(value)
    return value.as_dict() if hasattr(value, "as_dict") else value


def _built(hint: Any, value: Any) -> Any:
    """Return ``value`` as the dataclass in ``hint``, or as a tuple of them; unchanged if there is none."""
    kind, optional = _kind(hint)
    if kind is None or (value is None and optional):
        return value
    if typing.get_origin(hint) is tuple:
        return tuple(kind.from_dict(item) for item in value) if isinstance(value, list) else value
    return kind.from_dict(value)


@lru_cache
def _kind(hint: Any) -> tuple[Any, bool]:
    """The dataclass that ``hint`` names, or None; and whether None will do for it."""
    kinds: tuple[Any, ...] = typing.get_args(hint) or (hint,)
    return next((k for k in kinds if dataclasses.is_dataclass(k)), None), type(None) in kinds


@dataclass(frozen=True)
class VoiceRef(Value):
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
