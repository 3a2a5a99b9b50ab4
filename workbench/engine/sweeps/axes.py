"""Read the values of an axis: a list, evenly spaced numbers, or one typed line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workbench.engine.errors import SettingsError
from workbench.engine.visible import quoted

TRIALS_MAX = 100_000


def values_in(name: str, written: str) -> tuple[Any, ...]:
    """Return the typed values of the axis ``name``: "4, 7, 16", or "0.6 to 1.6, 6 values".

    Raises:
        SettingsError: there are no values, or some cannot be read.
    """
    spaced = re.fullmatch(r"\s*(\S+)\s+to\s+(\S+?)\s*,\s*(\d+)\s+values?\s*", written)
    if spaced:
        low, high, count = (_typed(part) for part in spaced.groups())
        return values_of(name, {"from": low, "to": high, "values": count})
    found = tuple(_typed(part.strip()) for part in written.split(",") if part.strip())
    if not found:
        raise SettingsError(f"The axis {name} has no values.", remedy="Write 4, 7, 16 or 1 to 5, 9 values.")
    return found


def _typed(part: str) -> Any:
    for kind in (int, float):
        try:
            return kind(part)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(part.lower(), part)


def values_of(name: str, given: Any) -> tuple[Any, ...]:
    """Return the values of an axis: a list, or {from, to, values} for evenly spaced numbers including both ends."""
    if isinstance(given, (list, tuple)):
        return tuple(given)
    if not isinstance(given, Mapping) or set(given) != {"from", "to", "values"}:
        raise SettingsError(
            f"The axis {quoted(name)} is {quoted(given)}.",
            remedy=f"Write {name} = [1, 2, 3], or {name} = {{from = 1, to = 3, values = 3}}.",
        )
    low, high, count = given["from"], given["to"], given["values"]
    if not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (low, high, count)):
        raise SettingsError(f"The axis {quoted(name)} has ends that are not numbers.", remedy="Give numbers.")
    if not isinstance(count, int) or not 2 <= count <= TRIALS_MAX:
        raise SettingsError(f"The axis {quoted(name)} has {quoted(count)} values.", remedy="Give 2 or more.")
    found = [low + (high - low) * k / (count - 1) for k in range(count)]
    if isinstance(low, int) and isinstance(high, int):
        return tuple(dict.fromkeys(round(value) for value in found))
    return tuple(round(value, 9) for value in found)


def duration_factor(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 / 3 <= value <= 1 / 0.3:
        raise SettingsError(f"duration_factor is {quoted(value)}.", remedy="Choose a number between 0.34 and 3.3.")
    return float(value)
