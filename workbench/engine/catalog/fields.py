"""Types and bounds of the values in a configuration, and a reader that refuses other values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.engine.errors import WeightsError
from workbench.engine.visible import quoted

_REQUIRED = object()


@dataclass(frozen=True)
class Field:
    """One value: an int, float or bool by ``kind``, or one of ``choices``. Bounds are inclusive.

    ``multiple``: a whole number must be divisible by it; ``optional`` allows null; ``default`` applies if the file does
    not state the value.
    """

    kind: type | None = None
    low: float = 0
    high: float = 0
    choices: tuple[Any, ...] = ()
    multiple: int = 1
    optional: bool = False
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether a file must state the value."""
        return self.default is _REQUIRED

    def wanted(self) -> str:
        """The allowed values, as a phrase."""
        if self.kind is bool:
            phrase = "true or false"
        elif self.kind is not None:
            what = "a whole number" if self.kind is int else "a number"
            phrase = f"{what} from {self.low} to {self.high}"
            phrase += f", divisible by {self.multiple}" if self.multiple > 1 else ""
        else:
            phrase = " or ".join("null" if c is None else str(c) for c in self.choices)
        return phrase + (" or null" if self.optional else "")

    def allows(self, value: Any) -> bool:
        """Whether ``value`` has the right type and is within the bounds."""
        if value is None and self.optional:
            return True
        if self.kind is None:
            return any(type(value) is type(choice) and value == choice for choice in self.choices)
        given = type(value)
        if given is not self.kind and not (self.kind is float and given is int):
            return False
        return self.kind is bool or (
            self.low <= value <= self.high and (self.kind is float or value % self.multiple == 0)
        )


def whole(low: int, high: int, *, multiple: int = 1, optional: bool = False, default: Any = _REQUIRED) -> Field:
    """A whole number."""
    return Field(int, low, high, multiple=multiple, optional=optional, default=default)


def number(low: float, high: float, *, optional: bool = False, default: Any = _REQUIRED) -> Field:
    """A number, whole or not."""
    return Field(float, low, high, optional=optional, default=default)


def flag(default: bool) -> Field:
    """True or false."""
    return Field(bool, default=default)


def one_of(*choices: Any, default: Any = _REQUIRED) -> Field:
    """One of the named values."""
    return Field(choices=choices, default=default)


def read_fields(table: Any, fields: Mapping[str, Field], where: str, remedy: str) -> dict[str, Any]:
    """The values that ``table`` states, each checked; adds no defaults.

    Args:
        where: name of the part, for the message.

    Raises:
        WeightsError: not a table, an unknown or missing name, or a value that is not allowed.
    """
    if not isinstance(table, dict):
        raise WeightsError(f"{where} is {quoted(table)}, not a table of names and values.", remedy=remedy)
    unknown = next((name for name in table if name not in fields), None)
    if unknown is not None:
        raise WeightsError(f"{where} has the unknown entry {quoted(unknown)}.", remedy=f"Known: {', '.join(fields)}.")
    missing = next((name for name, field in fields.items() if field.required and name not in table), None)
    if missing is not None:
        raise WeightsError(f"{where} lacks {missing}.", remedy=f"It is {fields[missing].wanted()}.")
    for name, value in table.items():
        if not fields[name].allows(value):
            raise WeightsError(
                f"{where}.{name} is {quoted(value)}, which cannot be used.", remedy=f"It is {fields[name].wanted()}."
            )
    return dict(table)
