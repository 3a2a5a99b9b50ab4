"""Measurements of the lab on disk, so that a reload of the page, or of the server, does not lose them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from workbench.engine.errors import LabError
from workbench.engine.files.places import home
from workbench.engine.files.writing import write_json

FOLDER = "lab"
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{13}", re.ASCII)
_NEEDED = ("cells", "ratios", "run_ratios", "runs", "model", "n_chunks", "timeout_seconds")


def _place(name: str) -> Path:
    if not _ID.fullmatch(name):
        raise LabError(f"There is no measurement {name[:40]!r}.", remedy="Measure again.")
    return home() / FOLDER / f"{name}.json"


def save(name: str, document: dict[str, Any]) -> Path:
    """Write the document of a measurement under the id ``name``; return its file.

    Raises:
        LabError: it cannot be written.
    """
    try:
        return write_json(_place(name), document)
    except (OSError, ValueError) as error:
        raise LabError(f"The measurement {name} cannot be saved ({error}).", remedy="Download it instead.") from error


def load(name: str) -> dict[str, Any]:
    """Return the document of a measurement.

    Raises:
        LabError: there is none of this id, or its file is damaged.
    """
    place = _place(name)
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabError(f"There is no measurement {name}.", remedy="Measure again.") from error
    except (OSError, ValueError) as error:
        raise LabError(f"{place} cannot be read or is damaged.", remedy="Delete it, and measure again.") from error
    if not isinstance(document, dict) or any(key not in document for key in _NEEDED):
        raise LabError(f"{place} is not a measurement of the lab.", remedy="Delete it, and measure again.")
    return document


def names() -> list[str]:
    """Return the ids of the measurements on disk, newest first."""
    folder = home() / FOLDER
    try:
        return sorted((path.stem for path in folder.glob("*.json") if _ID.fullmatch(path.stem)), reverse=True)
    except OSError:
        return []
