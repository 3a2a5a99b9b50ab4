"""An engine with a store of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.engine.reuse.store import ChunkStore


@pytest.fixture
def shelved(tiny_engine: Any, tmp_path: Path) -> Any:
    """The tiny engine with an empty store."""
    tiny_engine.shelf = ChunkStore(tmp_path / "chunks")
    yield tiny_engine
    tiny_engine.shelf = None
