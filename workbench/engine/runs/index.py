"""The index of runs, ``runs/index.sqlite``: list runs, read the numbers of chunks and query both with SQL.

The folders are the source of truth. Each refresh compares the names in runs/ and the times and sizes of each run's
files with the index, and reads only the runs that differ, whoever changed them. A missing, damaged or outdated index is
built again. If it cannot be written (read-only folder, full disk, locked database), a copy in memory replaces it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workbench.engine.errors import RunError
from workbench.engine.runs import tables
from workbench.engine.runs.deletion import sweep_leftovers
from workbench.engine.runs.paths import is_on_this_machine, look, runs_root
from workbench.engine.runs.summary import read_rows
from workbench.engine.runs.tables import Entry

log = logging.getLogger("workbench.runs")

NAME = "index.sqlite"
BUSY_SECONDS = 2.0  # longest wait for another writer
RETRY_SECONDS = 30.0  # pause before an unusable file is tried again
_BATCH = 200  # runs per transaction, so that transactions stay short
_ATTEMPTS = 3  # to replace a damaged index, which another process may be replacing too
_DAMAGE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH,
           sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_SCHEMA}  # fmt: skip


class _Unusable(Exception):
    """The index on disk cannot be used now."""


class _Damaged(Exception):
    """The index on disk is damaged, or another kind of database."""


def _entry(folder: Path, stamp: str) -> Entry | None:
    """Read the entry of ``folder``; None if it was deleted meanwhile."""
    try:
        summary, chunks = read_rows(folder)
    except RunError as error:
        if not os.path.lexists(folder):
            return None
        temporary = isinstance(error.__cause__, OSError)  # too many open files, no permission: read again next time
        return Entry("" if temporary else stamp, None, str(error))
    return Entry(stamp, summary, chunks=chunks)


class _Index:
    """The index of one folder of runs in this process. Hold ``lock`` during every call."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / NAME
        self.lock = threading.Lock()
        self._known: dict[str, Entry] = {}  # entries at the last refresh
        self._memory: sqlite3.Connection | None = None  # replaces the file while that cannot be used
        self._retry_at = 0.0
        self._journal = "WAL" if is_on_this_machine(root) else "DELETE"

    def refresh(self, *, whole: bool = False) -> dict[str, Entry]:
        """Return id to entry of every run, the newest first. With ``whole``, always update the database too.

        Raises:
            RunError: the folder of runs cannot be read.
        """
        found, leftovers = look(self.root)
        if leftovers:
            sweep_leftovers()
        if not whole and self._is_current(found):
            return self._known
        if not found and not self.path.exists():
            self._known = {}  # write nothing while there is no run
            return self._known
        for _ in range(_ATTEMPTS):
            if time.monotonic() < self._retry_at:
                break
            before = self._identity()
            try:
                with self._file() as connection:
                    self._known = self._synchronised(connection, found)
                self._leave_memory()
                return self._known
            except _Damaged as damage:
                self._discard(before, damage)
            except _Unusable as reason:
                self._give_up(reason)
        else:
            self._give_up("damaged repeatedly")
        try:
            self._known = self._synchronised(self._in_memory(), found)
        except (sqlite3.Error, ValueError, TypeError):
            log.exception("the index in memory failed; reading every run")
            self._leave_memory()
            made = {run_id: _entry(self.root / run_id, "") for run_id in found}
            self._known = {run_id: entry for run_id, entry in made.items() if entry is not None}
        return self._known

    def chunks(self, run_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return id to the rows of its chunks, for those of ``run_ids`` that can be read."""
        self.refresh(whole=True)
        try:
            if self._memory is not None:
                return tables.chunks_of(self._memory, run_ids)
            with self._file() as connection:
                return tables.chunks_of(connection, run_ids)
        except (_Damaged, _Unusable, sqlite3.Error):
            found = {run_id: _entry(self.root / run_id, "") for run_id in run_ids}
            return {run_id: list(entry.chunks) for run_id, entry in found.items() if entry and entry.chunks}

    def copy(self) -> sqlite3.Connection:
        """Return a separate connection to the current rows, for queries. The caller closes it.

        Raises:
            RunError: the folder of runs or the index cannot be read.
        """
        self.refresh(whole=True)
        try:
            if self._memory is None and self.path.exists():
                return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", BUSY_SECONDS, uri=True)
            made = sqlite3.connect(":memory:", isolation_level=None)
            tables.prepare(made) if self._memory is None else self._memory.backup(made)
            return made
        except sqlite3.Error as error:
            raise RunError(f"The index {self.path} cannot be read: {error}.", remedy="Delete it.") from error

    def _is_current(self, found: dict[str, str]) -> bool:
        """Whether nothing changed since the last refresh and the index still exists."""
        known = self._known
        if found.keys() != known.keys() or not all(stamp and known[i].stamp == stamp for i, stamp in found.items()):
            return False
        return not found or self.path.exists() or self._memory is not None

    def _synchronised(self, connection: sqlite3.Connection, found: dict[str, str]) -> dict[str, Entry]:
        """Update the rows to match ``found``; return all entries in its order. Raises as ``_file``."""
        stored = tables.stamps(connection)
        fresh = [run_id for run_id, stamp in found.items() if stamp and stored.get(run_id) == stamp]
        entries = {i: self._known[i] for i in fresh if i in self._known and self._known[i].stamp == found[i]}
        entries |= tables.read(connection, [run_id for run_id in fresh if run_id not in entries])
        stale = [run_id for run_id in found if run_id not in entries]
        gone = set(stored) - found.keys()
        for first in range(0, max(len(stale), bool(gone)), _BATCH):
            batch = stale[first : first + _BATCH]
            made = {run_id: _entry(self.root / run_id, found[run_id]) for run_id in batch}
            changed = {run_id: entry for run_id, entry in made.items() if entry is not None}
            gone |= made.keys() - changed.keys()
            tables.write(connection, changed, gone & stored.keys())
            entries |= {i: Entry(entry.stamp, entry.summary, entry.problem) for i, entry in changed.items()}
        return {run_id: entries[run_id] for run_id in found if run_id in entries}

    @contextlib.contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """Open the index on disk and make its tables if needed.

        Turns errors, also those of the ``with`` block, into ``_Damaged`` or ``_Unusable``.
        """
        try:
            if os.path.lexists(self.path) and not stat.S_ISREG(self.path.lstat().st_mode):
                raise _Unusable("it is not a regular file")
            with contextlib.closing(sqlite3.connect(self.path, BUSY_SECONDS, isolation_level=None)) as connection:
                with contextlib.suppress(sqlite3.OperationalError):  # another process uses it; any mode works
                    connection.execute(f"PRAGMA journal_mode = {self._journal}")
                connection.execute("PRAGMA synchronous = NORMAL")
                tables.prepare(connection)
                yield connection
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            raise (_Damaged if code in _DAMAGE else _Unusable)(str(error)) from error
        except (ValueError, TypeError) as error:
            raise _Damaged(f"a row holds {type(error).__name__}") from error
        except OSError as error:
            raise _Unusable(error.strerror or str(error)) from error

    def _identity(self) -> tuple[int, ...]:
        """Return inode, size and change time of the file; () if there is none."""
        try:
            found = self.path.lstat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_ctime_ns

    def _discard(self, before: tuple[int, ...], damage: Exception) -> None:
        """Remove the damaged index, unless another process replaced it: its identity was ``before``."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.root / ".index.lock", timeout=BUSY_SECONDS):
                if self._identity() == before:
                    for suffix in ("-wal", "-shm", "-journal", ""):
                        Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                    log.warning("index of runs rebuilt: %s", damage)
        except (OSError, NotImplementedError, Timeout) as error:
            self._give_up(error)

    def _give_up(self, reason: object) -> None:
        """Do not use the file for ``RETRY_SECONDS``."""
        if self._memory is None:
            log.warning("index of runs kept in memory: %s", reason)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _in_memory(self) -> sqlite3.Connection:
        """Return the index in memory; the first call copies the file if it can be read. Raises sqlite3.Error."""
        if self._memory is None:
            made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            # immutable: read without lock files, which a read-only folder cannot hold; stamps show old rows
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?immutable=1", uri=True)) as source,
            ):
                source.backup(made)
            try:
                tables.prepare(made)
            except sqlite3.Error:  # the copy is damaged
                made.close()
                made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                tables.prepare(made)
            self._memory = made
        return self._memory

    def _leave_memory(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None


# Public functions ----------------------------------------------------------------------------------------------------

_guard = threading.Lock()
_current: _Index | None = None


def _index() -> _Index:
    """Return the index of the current folder of runs."""
    global _current
    root = runs_root()
    with _guard:
        if _current is None or _current.root != root:
            _current = _Index(root)
        return _current


def _forget() -> None:
    """Start anew in a forked child: locks might never be released, and the connections belong to the parent."""
    global _current, _guard
    _current, _guard = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def entries() -> dict[str, Entry]:
    """Return id to entry of every folder in runs/ with the name of a run, the newest first. Treat it as read-only.

    Raises:
        RunError: the folder of runs cannot be read.
    """
    index = _index()
    with index.lock:
        return index.refresh()


def chunk_rows(run_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return id to one row per chunk with the keys ``summary.CHUNK_COLUMNS``; damaged runs are left out.

    Raises:
        RunError: the folder of runs cannot be read.
    """
    index = _index()
    with index.lock:
        return index.chunks(run_ids)


def ask(sql: str, seconds: float = tables.QUERY_SECONDS) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT over the current tables ``runs`` and ``chunks``; return column names and rows.

    Raises:
        RunError: ``sql`` is not a SELECT or invalid, or the answer takes more than ``seconds`` or is too large.
    """
    index = _index()
    with index.lock:
        connection = index.copy()
    with contextlib.closing(connection):
        return tables.ask(connection, sql, seconds)
