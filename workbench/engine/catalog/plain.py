"""Read YAML and JSON from untrusted files as plain data: mappings, lists, numbers and strings.

Size and nesting are limited before values are made, so a small file cannot use much memory. Errors quote at most one
short line of the file.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.engine.errors import WeightsError
from workbench.engine.visible import quoted

MAX_BYTES = 65_536  # upstream's largest configuration has 2,500
MAX_MANIFEST_BYTES = 16_000_000  # a manifest names each of a repository's files
MAX_DEPTH = 12
_MAX_EVENTS = 4_000
_MAX_BRACKETS = 200  # YAML's time grows with the square of the open ones


def first_line(error: BaseException) -> str:
    """First line of the exception's message, at most 120 characters."""
    text = (str(error).splitlines() or [""])[0]
    return f"{text[:120]}..." if len(text) > 120 else text


def read_limited(path: Path, limit: int) -> bytes:
    """Bytes of a regular file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a folder, a pipe or a device, or has more than ``limit`` bytes.
    """
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return raw


def _check_plain(value: Any, depth: int = 0) -> None:
    """Raise ValueError for another type, a number out of range, or deep nesting."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {quoted(key)} is not a word")
            _check_plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, depth + 1)
    elif isinstance(value, int | float) and not (math.isfinite(value) if isinstance(value, float) else _fits(value)):
        raise ValueError(f"{quoted(value)} is not a usable number")
    elif value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(f"it holds a {type(value).__name__}")


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _parse_yaml(text: str) -> Any:
    """The one document of ``text``. Raises ValueError with one short line."""
    import yaml

    if text.count("[") + text.count("{") > _MAX_BRACKETS:
        raise ValueError(f"more than {_MAX_BRACKETS} brackets")
    try:
        depth, documents = 0, 0
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            assert event.start_mark is not None  # only events made by hand have none
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"line {line} repeats another part by an alias, which is refused")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise ValueError(f"line {line} asks for the type {quoted(tag)}")
            documents += isinstance(event, yaml.DocumentStartEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or number > _MAX_EVENTS:
                raise ValueError(f"line {line}: nested more than {MAX_DEPTH} deep, or over {_MAX_EVENTS} entries")
        if documents != 1:
            raise ValueError(f"{documents} documents instead of one")
        return yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or first_line(error)
        raise ValueError(f"line {mark.line + 1}: {problem}" if mark else problem) from error
    except (LookupError, TypeError, ArithmeticError, AttributeError) as error:  # of scalars such as "0b"
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read(path: Path, limit: int, parse: Callable[[str], Any]) -> dict[str, Any]:
    """The mapping in ``path``. Raises OSError, or ValueError with one short line."""
    try:
        table = parse(read_limited(path, limit).decode("utf-8-sig"))
        _check_plain(table)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(table, dict):
        raise ValueError("not a table of names and values")
    return table


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: too large, nested too deep, not JSON, or not an object; the message is one short line.
    """
    return _read(path, MAX_MANIFEST_BYTES, json.loads)


def read_yaml(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        what: what the file should be, such as "a model configuration"; for the message.

    Raises:
        WeightsError: the file cannot be read, or is not plain YAML within the limits.
    """
    try:
        return _read(path, MAX_BYTES, _parse_yaml)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).", remedy=remedy) from error
    except ValueError as error:
        raise WeightsError(f"{path} is not {what} ({first_line(error)}).", remedy=remedy) from error
