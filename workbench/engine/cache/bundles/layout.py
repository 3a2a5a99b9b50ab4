"""What a bundle holds: its list, the places of its files, and the report of an export or import."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.catalog.imported import NAME

LIST_NAME, FORMAT = "bundle.json", 1
LIST_MAX_BYTES = 16 * 2**20
PLACES = re.compile(
    r"(imported/[^/]+/(?!\.)[^/]+(/[^/]+)?|locks/[^/]+\.json"
    r"|hub/models--[\w.-]+/(refs/main|snapshots/[0-9a-f]{40}/[^/]+(/[^/]+){0,3}))"
)
Progress = Callable[[str, int, int], None]


class Model(BaseModel):
    """A model in a bundle."""

    model_config = ConfigDict(extra="ignore", strict=True)
    name: str = Field(pattern=f"^{NAME.pattern}$")
    license: str = Field(max_length=4_000)


class File(BaseModel):
    """Checksum and size of a file."""

    model_config = ConfigDict(extra="ignore", strict=True)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, lt=8 * 2**30)


class Listed(BaseModel):
    """The content of bundle.json."""

    model_config = ConfigDict(extra="ignore", strict=True)
    format: int
    models: list[Model] = Field(min_length=1, max_length=1_000)
    files: dict[str, File] = Field(max_length=100_000)


@dataclass(frozen=True)
class BundleReport:
    """Result of an export or import: the models with their licences, bytes of their files, seconds.

    ``kept`` names the models that were here already, unchanged.
    """

    models: dict[str, str]
    bytes: int
    seconds: float
    kept: tuple[str, ...] = ()


def is_bundle(path: Path) -> bool:
    """Whether the file at ``path`` begins as a bundle does."""
    try:
        with path.open("rb") as file:
            start = file.read(tarfile.BLOCKSIZE)
    except OSError:
        return False
    return start.startswith(LIST_NAME.encode() + b"\0") and start[257:262] == b"ustar"
