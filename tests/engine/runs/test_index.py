"""The index of runs agrees with the folders and reads little."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import many_runs
from tests.engine.runs.indexed import agrees
from workbench.engine.runs import index, paths, store

# What is read --------------------------------------------------------------------------------------------------------


def test_a_second_list_reads_nothing(root: Path, settled: None, reads: list[str], monkeypatch: Any) -> None:
    first = store.list_runs()
    assert sorted(reads) == sorted(run.id for run in first) and len(first) == 6
    for where, name in ((Path, "open"), (sqlite3, "connect")):
        monkeypatch.setattr(where, name, lambda *given, **named: pytest.fail("opened"))
    assert store.list_runs() == first


def test_a_new_process_reads_the_index_alone(root: Path, settled: None, reads: list[str]) -> None:
    (root / many_runs.run_id(1) / "run.json").write_text("{")
    first = store.scan()
    index._forget()
    reads.clear()
    assert store.scan() == first and reads == []


def test_only_the_run_that_changed_is_read_again(root: Path, settled: None, reads: list[str]) -> None:
    store.list_runs()
    reads.clear()
    store.annotate(many_runs.run_id(3), note="heard", star=True)
    assert store.list_runs()[2].note == "heard" and reads == [many_runs.run_id(3)]
    agrees()


def test_an_empty_home_stays_empty(_own_home: Path) -> None:
    assert store.scan() == ([], []) and index.ask("SELECT count(*) FROM runs")[1] == [(0,)]
    assert not store.runs_root().exists()


def test_what_hides_and_what_is_read_is_bounded_by_the_batch(root: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(index, "_BATCH", 4)  # six runs: one whole transaction and a part
    agrees()


# What changes --------------------------------------------------------------------------------------------------------


def rewritten(root: Path) -> None:
    """In place, to the same size, at the same time to the nanosecond."""
    path = root / many_runs.run_id(0) / "notes.json"
    before = path.stat()
    with path.open("r+b") as file:
        file.write(path.read_bytes().replace(b"heard", b"HEARD"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size and path.stat().st_mtime_ns == before.st_mtime_ns


def back_in_time(root: Path) -> None:
    """By a clock that was set back by a year."""
    path = root / many_runs.run_id(0) / "notes.json"
    path.write_text('{"note": "later"}')
    then = time.time_ns() - 365 * 86_400 * 10**9
    for each in (path, path.parent):
        os.utime(each, ns=(then, then))


def renamed(root: Path) -> None:
    (root / many_runs.run_id(0)).rename(root / many_runs.run_id(77))


def exchanged(root: Path) -> None:
    first, second, aside = (root / many_runs.run_id(0), root / many_runs.run_id(1), root / "aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def removed(root: Path) -> None:
    shutil.rmtree(root / many_runs.run_id(2))


def linked(root: Path) -> None:
    target = (root / many_runs.run_id(2)).rename(root.parent / "elsewhere")
    (root / many_runs.run_id(2)).symlink_to(target)


def damaged(root: Path) -> None:
    (root / many_runs.run_id(2) / "run.json").write_text("[]")


def without_its_file(root: Path) -> None:
    (root / many_runs.run_id(2) / "run.json").unlink()


def without_its_states(root: Path) -> None:
    (root / many_runs.run_id(2) / "chunks.npz").unlink()


def added(root: Path) -> None:
    many_runs.write_runs(root, 2, first=50)


CHANGES = (rewritten, back_in_time, renamed, exchanged, removed, linked, damaged, without_its_file,
           without_its_states, added)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_from_outside_is_noticed(root: Path, settled: None, change: Callable[[Path], None]) -> None:
    before = store.scan()
    change(root)
    assert store.scan() != before
    agrees()
    index._forget()
    agrees()


def test_files_have_no_stamp_until_the_clock_has_moved_on(root: Path, monkeypatch: Any) -> None:
    def stamps(seconds: float) -> set[str]:
        now = time.time_ns() + round(seconds * 1e9)
        with monkeypatch.context() as patch:
            patch.setattr(paths, "time", type("Clock", (), {"time_ns": lambda: now}))
            return set(paths.look(root)[0].values())

    monkeypatch.setattr(paths, "_TICK_NS", 10**12)
    assert stamps(0) == {""} and "" not in stamps(3_000)
    assert stamps(3_000) == stamps(60_000) == stamps(-86_400)  # a clock set back says nothing of the files
    monkeypatch.setattr(paths, "_TICK_NS", 0)
    monkeypatch.setattr(paths, "_COARSE_TICK_NS", 10**12)
    assert "" not in stamps(0)
    for folder in root.iterdir():
        os.utime(folder / "run.json", (1_800_000_000, 1_800_000_000))  # as on a disk that counts whole seconds
    assert "" not in stamps(3_000) and stamps(1_800_000_000 - time.time()) == {""}


def test_changes_one_after_the_other_are_all_noticed(root: Path) -> None:
    path = root / many_runs.run_id(0) / "notes.json"
    for k in range(20):
        path.write_text(json.dumps({"note": f"{k:05d}"}))  # always the same size
        assert store.list_runs()[-1].note == f"{k:05d}"


def test_what_was_damaged_and_mended_is_whole(root: Path) -> None:
    path = root / many_runs.run_id(2) / "run.json"
    content = path.read_bytes()
    path.write_text("{")
    assert len(store.broken_runs()) == 1
    path.write_bytes(content)
    assert store.broken_runs() == []
    agrees()


def test_a_reason_that_passes_is_not_kept(root: Path, settled: None, monkeypatch: Any) -> None:
    def busy(*given: object, **named: object) -> object:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", busy)
        assert len(store.broken_runs()) == 6
    index._forget()
    assert store.broken_runs() == []
    agrees()


def test_the_index_moves_with_its_folder(
    root: Path, settled: None, reads: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    first = store.list_runs()
    reads.clear()
    root.rename(tmp_path / "runs")
    assert store.scan() == ([], [])
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    assert store.list_runs() == first and reads == []
    monkeypatch.setenv("WORKBENCH_HOME", str(root.parent))
    assert store.list_runs() == []


def test_threads_share_one_reading(root: Path, settled: None, reads: list[str]) -> None:
    threads = [threading.Thread(target=store.list_runs) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 6
