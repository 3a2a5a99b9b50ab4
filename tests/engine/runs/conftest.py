"""Fixtures with runs for lists, and counters of what is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import many_runs
from workbench.engine.runs import index, paths, store
from workbench.engine.runs.summary import read_rows


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Each test begins as a process does, without anything in memory."""
    index._forget()
    yield
    index._forget()


@pytest.fixture
def root() -> Path:
    """A folder of six runs."""
    many_runs.write_runs(store.runs_root(), 6)
    return store.runs_root()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as old at once, as after the tenth of a second within which changes might go unseen."""
    monkeypatch.setattr(paths, "_TICK_NS", 0)
    monkeypatch.setattr(paths, "_COARSE_TICK_NS", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that are read, as they are read."""
    seen: list[str] = []
    monkeypatch.setattr(index, "read_rows", lambda folder: (seen.append(folder.name), read_rows(folder))[1])
    return seen
