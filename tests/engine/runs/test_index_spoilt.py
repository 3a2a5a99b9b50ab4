"""The index of runs: lists are right even if its file is damaged or replaced."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import many_runs
from tests.engine.runs.indexed import agrees, whole
from workbench.engine.runs import index, store, tables


def no_file(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def zeroes_within(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def foreign(path: Path) -> None:
    path.unlink()
    sql(path, "CREATE TABLE people (name)", "CREATE VIEW runs AS SELECT * FROM people")


def no_tables(path: Path) -> None:
    sql(path, "DROP TABLE runs")


def another_version(path: Path) -> None:
    sql(path, "PRAGMA user_version = 7", "ALTER TABLE runs DROP COLUMN note")


def rows_that_make_no_sense(path: Path) -> None:
    sql(path, "UPDATE runs SET envelope = '{'")


def stale_wal(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"x" * 5000)


def sql(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


MENDED = (no_file, empty, garbage, cut_short, zeroes_within, foreign, no_tables, another_version,
          rows_that_make_no_sense, stale_wal)  # fmt: skip


@pytest.mark.parametrize("spoil", MENDED, ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("same_process", [True, False])
def test_a_spoilt_index_is_made_again(root: Path, settled: None, spoil: Callable, same_process: bool) -> None:
    first = store.list_runs()
    spoil(root / index.NAME)
    if not same_process:
        index._forget()
    assert store.list_runs() == first and (root / index.NAME).exists()
    agrees()
    index._forget()
    agrees()
    assert whole(root / index.NAME) and index._index()._memory is None


def as_folder(path: Path) -> None:
    path.mkdir()


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_link(path: Path) -> None:
    (path.parent.parent / "treasure").write_bytes(b"mine")
    path.symlink_to(path.parent.parent / "treasure")


@pytest.mark.parametrize("spoil", [as_folder, as_pipe, as_link], ids=lambda spoil: spoil.__name__)
def test_where_no_index_can_be_one_in_memory_stands_in(
    root: Path, spoil: Callable, settled: None, reads: list[str]
) -> None:
    spoil(root / index.NAME)
    agrees()
    reads.clear()
    store.list_runs()
    assert reads == [] and index.chunk_rows([many_runs.run_id(1)])
    assert not (root.parent / "treasure").exists() or (root.parent / "treasure").read_bytes() == b"mine"


def test_rules_that_changed_make_the_index_again(root: Path, settled: None, reads: list[str], monkeypatch: Any) -> None:
    store.list_runs()
    index._forget()
    reads.clear()
    monkeypatch.setattr(tables, "REVISION", tables.REVISION + 1)
    assert len(store.list_runs()) == len(reads) == 6


def test_a_database_that_somebody_holds_is_not_waited_for(root: Path, monkeypatch: Any) -> None:
    store.list_runs()
    monkeypatch.setattr(index, "BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(root / index.NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    tries: list[object] = []
    monkeypatch.setattr(
        index._Index, "_give_up", lambda self, why, real=index._Index._give_up: (tries.append(why), real(self, why))
    )
    for k in range(2):
        many_runs.write_runs(root, 1, first=50 + k)
        assert len(store.list_runs()) == 7 + k
    agrees()
    assert len(tries) == 1  # then left alone for a while
    holder.execute("COMMIT")
    holder.close()
    monkeypatch.setattr(index, "time", type("Later", (), {"monotonic": lambda: time.monotonic() + index.RETRY_SECONDS}))
    agrees()
    assert index._index()._memory is None
    with contextlib.closing(sqlite3.connect(root / index.NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (8,)
