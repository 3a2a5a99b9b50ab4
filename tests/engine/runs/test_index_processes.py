"""The index of runs with concurrent writers, killed writers, a full disk and a read-only folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests import many_runs
from tests.engine.runs.indexed import agrees, child, whole
from workbench.engine.runs import index, store

FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
print(len(store.list_runs()), index.ask("SELECT count(*) FROM chunks")[1][0][0], index._index()._memory is not None)
"""


@pytest.mark.parametrize("n_bytes", [0, 40_000])
def test_a_full_disk_ends_no_list(root: Path, n_bytes: int) -> None:
    many_runs.write_runs(root, 60, first=100)
    assert child(FULL, str(n_bytes)).stdout.split() == ["66", str(66 * many_runs.N_CHUNKS), "True"]
    agrees()
    assert whole(root / index.NAME)


READ_ONLY = """
if os.geteuid() == 0:
    store.list_runs.__module__, __import__("psutil"), __import__("filelock")
    os.seteuid(65534)
real, reads = index.read_rows, []
index.read_rows = lambda folder: (reads.append(folder), real(folder))[1]
print(len(store.list_runs()), len(store.list_runs()), len(reads), index.ask("SELECT count(*) FROM chunks")[1][0][0])
print(sorted(path.name for path in store.runs_root().iterdir() if path.name.startswith("index")))
"""


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions of Unix")
@pytest.mark.parametrize("indexed", [True, False])
def test_a_folder_that_is_read_only_is_listed(indexed: bool, settled: None, monkeypatch: Any) -> None:
    home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to all but their owner
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    many_runs.write_runs(home / "runs", 5)
    if indexed:
        store.list_runs()
    before = sorted(path.name for path in (home / "runs").glob("index*"))
    home.chmod(0o755)
    (home / "runs").chmod(0o555)
    try:
        assert child(READ_ONLY).stdout.splitlines() == [f"5 5 {0 if indexed else 5} 25", str(before)]
    finally:
        (home / "runs").chmod(0o755)
        shutil.rmtree(home)


# Several at once -----------------------------------------------------------------------------------------------------

WRITER = """
sys.path.insert(0, ".")
from tests import many_runs
first = int(sys.argv[1])
for k in range(12):
    (folder,) = many_runs.write_runs(store.runs_root(), 1, first=first + k)
    assert folder.name in [run.id for run in store.list_runs()], "not listed"
    store.annotate(folder.name, note=f"note {k}", star=True)
    assert next(run for run in store.list_runs() if run.id == folder.name).note == f"note {k}", "not noticed"
    if k % 3 == 0:
        store.delete_run(folder.name)
        assert folder.name not in [run.id for run in store.list_runs()], "not gone"
    if k == 5 and first == 1000:
        (store.runs_root() / index.NAME).write_bytes(b"somebody's mistake")
assert index.ask(f"SELECT count(*) FROM runs WHERE id >= '{many_runs.run_id(first)}' AND id < "
                 f"'{many_runs.run_id(first + 100)}'")[1] == [(8,)]
"""


def test_processes_that_write_at_once_agree(root: Path) -> None:
    found: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda k=k: found.append(child(WRITER, str(k * 1000)))) for k in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.stderr for done in found if done.returncode] == []
    assert len(store.list_runs()) == 6 + 3 * 8
    agrees()
    assert whole(root / index.NAME)


KILLED = """
real, left = getattr(tables, "_values"), [int(sys.argv[1])]
def dying(*given):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
tables._values, index._BATCH = dying, 4
store.list_runs()
"""


@pytest.mark.parametrize("n_written", [0, 5])
def test_a_process_killed_while_it_writes_leaves_nothing_half(root: Path, n_written: int) -> None:
    assert child(KILLED, str(n_written)).returncode == -signal.SIGKILL
    agrees()
    assert whole(root / index.NAME)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_lists_though_the_parent_was_at_it(root: Path) -> None:
    with index._index().lock:
        process = os.fork()
        if not process:
            signal.alarm(20)  # else a child that hangs would be left behind
            os._exit(0 if len(store.list_runs()) == 6 else 1)
    assert os.waitpid(process, 0)[1] == 0
