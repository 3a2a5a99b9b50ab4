"""The index of runs: what it says is what the folders say, whatever becomes of either, and little is read for it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import many_runs
from workbench.engine import measures
from workbench.engine.errors import RunError
from workbench.engine.runs import index, paths, store, tables
from workbench.engine.runs.summary import chunk_rows_of, read_rows

ROOT = Path(__file__).resolve().parents[3]


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


def agrees() -> None:
    """Fail unless lists, SQL and folders say the same."""
    good, broken = store.scan()
    names = sorted((e.name for e in os.scandir(store.runs_root()) if paths.ID.fullmatch(e.name)), reverse=True)
    assert sorted([run.id for run in good] + [name for name, _ in broken], reverse=True) == names
    assert [run.id for run in good] == sorted((run.id for run in good), reverse=True)
    assert good == [store.summarise(run.id) for run in good]
    _, rows = index.ask("SELECT id, problem, note, (SELECT count(*) FROM chunks WHERE run_id = id) FROM runs")
    assert sorted(rows) == sorted(
        [(run.id, "", run.note, run.n_chunks) for run in good] + [(i, why, None, 0) for i, why in broken]
    )


def whole(path: Path) -> bool:
    """Whether the file is a database without damage."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def child(code: str, *words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own, with the modules of runs at hand."""
    head = "import os, signal, sys\nfrom pathlib import Path\nfrom workbench.engine.runs import index, store, tables\n"
    where = {"WORKBENCH_HOME": str(home or os.environ["WORKBENCH_HOME"]), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", head + code, *words], env=os.environ | where, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip


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


# What becomes of the index -------------------------------------------------------------------------------------------


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


def test_threads_share_one_reading(root: Path, settled: None, reads: list[str]) -> None:
    threads = [threading.Thread(target=store.list_runs) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_lists_though_the_parent_was_at_it(root: Path) -> None:
    with index._index().lock:
        process = os.fork()
        if not process:
            signal.alarm(20)  # else a child that hangs would be left behind
            os._exit(0 if len(store.list_runs()) == 6 else 1)
    assert os.waitpid(process, 0)[1] == 0


# What it is asked ----------------------------------------------------------------------------------------------------


def test_the_rows_of_chunks_are_those_of_the_documents(root: Path) -> None:
    ids = [many_runs.run_id(k) for k in (1, 4)]
    (root / many_runs.run_id(2) / "run.json").write_text("{")
    found = index.chunk_rows([*ids, many_runs.run_id(2), many_runs.run_id(99)])
    assert found == {run_id: chunk_rows_of(store.read_document(run_id)) for run_id in ids}
    assert [row["duration_frames"] for row in found[ids[0]]] == [1101, 1114, 1127, 1140, 1153]


def test_every_measure_of_a_chunk_is_a_column(root: Path) -> None:
    names = [m.name for m in measures.every(measures.CHUNK)]
    document = store.read_document(many_runs.run_id(1))
    _, rows = index.ask(f"SELECT {', '.join(names)} FROM chunks WHERE run_id = '{many_runs.run_id(1)}' ORDER BY chunk")
    for found, made in zip(rows, document["chunks"], strict=True):
        assert found == tuple(measures.values(measures.CHUNK, measures.Times.of_chunk(made)).values())


def test_every_setting_is_a_column(root: Path) -> None:
    columns, rows = index.ask("SELECT nfe_step, use_epss, fix_duration, max(seed) AS top FROM runs GROUP BY voice")
    assert columns == ["nfe_step", "use_epss", "fix_duration", "top"]
    assert sorted(rows) == [(32, 1, None, 3), (32, 1, None, 4), (32, 1, None, 5)]
    assert set(tables.columns()["runs"]) >= {"id", "rtf", "note", "problem", "nfe_step", "seed"}
    for name, all_ in tables.columns().items():
        assert index.ask(f"SELECT {', '.join(all_)} FROM {name} LIMIT 1")[1]


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("DELETE FROM runs", "Only SELECT"),
        ("UPDATE runs SET note = 'x'", "Only SELECT"),
        ("DROP TABLE runs", "Only SELECT"),
        ("ATTACH '/tmp/other' AS other", "Only SELECT"),
        ("VACUUM INTO '/tmp/copy'", "Only SELECT"),
        ("PRAGMA query_only = OFF", "Only SELECT"),
        ("CREATE TEMP TABLE t (x)", "Only SELECT"),
        ("BEGIN EXCLUSIVE", "Only SELECT"),
        ("SELECT load_extension('x')", "cannot be answered"),
        ("SELECT 1; DROP TABLE runs", "cannot be answered"),
        ("SELECT nobody FROM runs", "no such column: nobody"),
        ("nonsense", "syntax error"),
        ("SELECT \ud800", "cannot be answered"),
        ("SELECT \x00", "cannot be answered"),
        ("SELECT zeroblob(1000000000)", "too big"),
        ("", "no question"),
        ("-- a comment", "no question"),
        (ENDLESS.format("x"), "more than 100,000 rows"),
        (ENDLESS.format("count(*)"), "more than 0.2 s"),
    ],
)
def test_a_question_that_is_none_is_refused_in_one_line(root: Path, question: str, said: str) -> None:
    before = store.scan()
    with pytest.raises(RunError, match=said) as caught:
        index.ask(question, 0.2 if "0.2 s" in said else 30)
    assert "\n" not in str(caught.value)
    assert store.scan() == before
    agrees()


def test_questions_may_look_into_json_and_odd_bytes(root: Path) -> None:
    sql = "SELECT count(DISTINCT key), (SELECT CAST(x'ff41' AS TEXT)) FROM runs, json_each(settings)"
    ((n_settings, odd),) = index.ask(sql)[1]
    assert n_settings == len(store.list_runs()[0].settings) and odd == "\ufffdA"
