"""Make flags from the settings dataclasses, which state name, type, range and help."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from workbench.engine.settings import number

_TYPES = {"int": int, "float": float, "bool": bool, "str": str}


def _reader(kind: type) -> Callable[[str], Any]:
    """Return a parser for numbers of type ``kind``. Other text is passed on; the settings then report it."""

    def read(given: str) -> Any:
        try:
            return kind(given)
        except ValueError:
            return given

    return read


def _option(field: dataclasses.Field[Any]) -> inspect.Parameter:
    """Return one optional flag. Its default is None for "not given", so that 0 and false are ordinary values."""
    meta = field.metadata
    shown = "unset" if field.default is None else field.default
    span = f" [{number(meta['low'])} to {number(meta['high'])}]" if meta["low"] is not None else ""
    choices = f" \\[{'|'.join(meta['choices'])}]" if meta["choices"] else ""  # escaped: Rich would take it for markup
    kind = _TYPES[str(field.type).split(" | ")[0]]
    dashed = field.name.replace("_", "-")
    names = [f"--{dashed}/--no-{dashed}"] if kind is bool else [f"--{dashed}"]
    read: dict[str, Any] = {"parser": _reader(kind), "metavar": kind.__name__.upper()} if kind in (int, float) else {}
    option = typer.Option(*names, help=f"{meta['help']}{span}{choices} (default: {shown})", show_default=False, **read)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def settings_flags(**groups: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the flags of the dataclasses in ``groups`` to a command.

    ``@settings_flags(settings=SynthesisSettings)`` adds ``--nfe-step`` and the others, and calls the command with
    ``settings=SynthesisSettings(...)``. The command then raises SettingsError for values out of range. A command with a
    parameter ``flags`` also gets name to value of the flags that were given, which may be their defaults.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapper(**given: Any) -> Any:
            every: dict[str, Any] = {}
            for name, group in groups.items():
                taken = {f.name: given.pop(f.name) for f in dataclasses.fields(group)}
                flags = {field: value for field, value in taken.items() if value is not None}
                given[name] = group().replace(**flags)
                every |= flags
            return command(**given, **({"flags": every} if "flags" in own.parameters else {}))

        own = inspect.signature(command, eval_str=True)
        filled = {*groups, "flags"}
        kept = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for n, p in own.parameters.items() if n not in filled]
        added = [_option(field) for group in groups.values() for field in dataclasses.fields(group)]
        wrapper.__signature__ = own.replace(parameters=kept + added)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in kept + added}
        del wrapper.__wrapped__  # otherwise Typer reads the inner signature
        return wrapper

    return decorate
