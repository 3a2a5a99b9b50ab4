"""Flags made from the settings dataclasses: name, type, range and help are stated there and nowhere else."""

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
    """Reads a number of type ``kind``; what is none stays text, about which the settings say field and range."""

    def read(given: str) -> Any:
        try:
            return kind(given)
        except ValueError:
            return given

    return read


def _option(field: dataclasses.Field[Any]) -> inspect.Parameter:
    """One optional flag. Its default is "not given", so that 0 and false are values like others."""
    meta = field.metadata
    shown = "unset" if field.default is None else field.default
    span = f" [{number(meta['low'])} to {number(meta['high'])}]" if meta["low"] is not None else ""
    choices = f" [{'|'.join(meta['choices'])}]" if meta["choices"] else ""
    kind = _TYPES[str(field.type).split(" | ")[0]]
    dashed = field.name.replace("_", "-")
    names = [f"--{dashed}/--no-{dashed}"] if kind is bool else [f"--{dashed}"]
    read: dict[str, Any] = {"parser": _reader(kind), "metavar": kind.__name__.upper()} if kind in (int, float) else {}
    option = typer.Option(*names, help=f"{meta['help']}{span}{choices} (default: {shown})", show_default=False, **read)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def takes(**groups: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: give a command every flag of the dataclasses in ``groups``, and an instance of each under its name.

    ``@takes(settings=SynthesisSettings)`` adds ``--nfe-step`` and the others, and calls the command with
    ``settings=SynthesisSettings(...)``. Raises SettingsError for values out of range.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapper(**given: Any) -> Any:
            for name, group in groups.items():
                fields = [f.name for f in dataclasses.fields(group)]
                taken = {f: given.pop(f) for f in fields}
                given[name] = group().replace(**{f: v for f, v in taken.items() if v is not None})
            return command(**given)

        own = inspect.signature(command, eval_str=True)
        kept = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for n, p in own.parameters.items() if n not in groups]
        added = [_option(field) for group in groups.values() for field in dataclasses.fields(group)]
        wrapper.__signature__ = own.replace(parameters=kept + added)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in kept + added}
        del wrapper.__wrapped__  # typer would read the inner signature through it
        return wrapper

    return decorate
