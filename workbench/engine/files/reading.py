"""Read small JSON files that a crash, another program or a person may have damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import from_json


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
