"""A tiny Whisper on disk, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whispers import write_whisper
from workbench.engine.asr.recogniser import release_recogniser
from workbench.engine.cache import import_model


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper of random weights."""
    return write_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture
def whisper(whisper_folder: Path, _own_home: Path) -> str:
    """Name of the recogniser in this test's cache; nothing is loaded before or after."""
    pytest.importorskip("faster_whisper")
    release_recogniser()
    import_model(whisper_folder, name="whisper-tiny")
    yield "whisper-tiny"
    release_recogniser()
