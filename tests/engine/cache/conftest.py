"""A user's model that can be imported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_ARCH


def weights_of(folder: Path) -> Path:
    """The one file of weights in ``folder``."""
    return folder / "model_random.safetensors"


@pytest.fixture
def theirs(tiny_folder: Path, tmp_path: Path) -> Path:
    """A user's folder: weights, vocab.txt, vocos/ and nothing else (AllTalk's layout)."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "theirs" / "my-voice"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the tiny model in upstream's layout."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        yaml.safe_dump({"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24000}}})
    )
    return path
