"""Read files that a crash, another program or a person has written."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from workbench.engine.errors import TextError


def read_object(path: Path, max_bytes: int) -> dict[str, Any] | None:
    """Return the JSON object in ``path``; {} if there is no file, None if it is damaged or above ``max_bytes``."""
    try:
        if not path.is_file():  # reading a pipe might never end
            return {}
        with path.open("rb") as file:
            found = from_json(file.read(max_bytes))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def encoding_of(content: bytes) -> str:
    """Return the encoding of a text: UTF-16 if it begins with its mark, which Windows calls "Unicode"; else UTF-8."""
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def text_of(content: bytes, source: str, remedy: str = "Save it as UTF-8.") -> str:
    """Return the text in ``content``, UTF-8 or UTF-16 with its mark. Raises TextError, which names ``source``."""
    try:
        return content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        raise TextError(f"{source} is not UTF-8 text.", remedy=remedy) from error
