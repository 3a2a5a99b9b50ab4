"""Small sweeps on a tiny model, which any process finds in the home of the test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import TINY_ARCH
from workbench.engine.sweeps import Grid
from workbench.engine.sweeps.executors.local import Local

FIXED = {"text": "Just a few words.", "model": "tiny", "nfe_step": 1, "device": "cpu", "dtype": "fp32"}


def small(axes: dict[str, Any] | None = None, **more: Any) -> Grid:
    """A grid whose trials take some milliseconds each."""
    return Grid.from_dict({"name": "small", "fixed": FIXED, "grid": axes or {"seed": [0, 1, 2, 3]}} | more)


@pytest.fixture
def tiny_home(_own_home: Path, tiny_folder: Path, tmp_path: Path) -> Path:
    """The home of the test, with the tiny model imported into its cache."""
    from workbench.engine.cache import import_model

    described = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24_000}}
    shutil.copytree(tiny_folder, source := tmp_path / "tiny source")
    (source / "config.yaml").write_text(yaml.safe_dump({"model": described}), encoding="utf-8")
    import_model(source, name="tiny")
    return _own_home


@pytest.fixture
def here(tiny_home: Path) -> Local:
    """One worker in this process."""
    return Local()
