"""Tables of the index: their columns, writing and reading rows, and SQL queries.

``runs`` has one row per folder. If the folder cannot be read, ``problem`` says why and the other columns except id and
stamp are NULL. Each setting, of synthesis and of loading, is a column too. ``chunks`` has one row per chunk, counted
from 1.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from workbench.engine.errors import RunError
from workbench.engine.runs.document import FORMAT_VERSION
from workbench.engine.runs.summary import CHUNK_COLUMNS, MEASURED, RunSummary
from workbench.engine.settings import LoadSettings, SynthesisSettings

REVISION = 2  # raise it when the values of a column change but not its name and type
VALUE_MAX_BYTES = 64 * 2**20  # of one value in the answer to a query
QUERY_MAX_ROWS = 100_000
QUERY_SECONDS = 10.0
_STEPS = 20_000  # SQLite instructions between two checks of the time: a few milliseconds

_FIELDS = {f.name: str(f.type) for f in dataclasses.fields(RunSummary)}
_OWNERS = {"settings": SynthesisSettings, "load": LoadSettings}  # column that holds them all to the class
_KNOBS = {
    f.name: (column, str(f.type))
    for column, owner in _OWNERS.items()
    for f in dataclasses.fields(owner)
    if f.name not in _FIELDS
}
_MEASURED = [m.name for m in MEASURED if m.name not in _FIELDS]
_AS_JSON = [name for name, kind in _FIELDS.items() if kind.startswith(("dict", "tuple"))]
_BOOLS = [name for name, kind in _FIELDS.items() if kind == "bool"]
_AFFINITY = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL"}
_READABLE = ", ".join(f'"{name}"' for name in ("stamp", "problem", *_FIELDS))


@dataclass(frozen=True)
class Entry:
    """One folder in runs/, as the index knows it.

    Attributes:
        stamp: of its files when they were read. Equal stamps mean equal files; "" equals none.
        summary: None if the run cannot be read.
        problem: why it cannot be read, in one line, or "".
        chunks: rows with the keys ``CHUNK_COLUMNS``; empty in an entry read from the index.
    """

    stamp: str
    summary: RunSummary | None
    problem: str = ""
    chunks: Sequence[dict[str, Any]] = field(default=(), repr=False)


def _affinity(kind: str) -> str:
    return _AFFINITY.get(kind.split(" | ")[0], "TEXT")


def _schema() -> list[str]:
    runs = ["stamp TEXT NOT NULL", "problem TEXT NOT NULL"]
    runs += [f'"{name}" {_affinity(kind)}{" PRIMARY KEY" if name == "id" else ""}' for name, kind in _FIELDS.items()]
    runs += [
        f"\"{name}\" {_affinity(kind)} AS (json_extract({column}, '$.{name}'))"
        for name, (column, kind) in _KNOBS.items()
    ]
    runs += [f"\"{name}\" REAL AS (json_extract(measured, '$.{name}'))" for name in _MEASURED]
    chunks = [f'"{name}" {kind}' for name, kind in CHUNK_COLUMNS.items()]
    return [
        "DROP TABLE IF EXISTS runs",
        "DROP TABLE IF EXISTS chunks",
        f"CREATE TABLE runs ({', '.join(runs)})",
        f"CREATE TABLE chunks ({', '.join(chunks)}, PRIMARY KEY (run_id, chunk)) WITHOUT ROWID",
    ]


def _version() -> int:
    """Return a number for the tables and all rules for their values; never 0, the number of an empty database."""
    rules = [
        [f.name, str(f.type), repr(f.default), repr(dict(f.metadata))]
        for owner in _OWNERS.values()
        for f in dataclasses.fields(owner)
    ]
    return zlib.crc32(repr((_schema(), rules, FORMAT_VERSION, REVISION)).encode()) % (2**31 - 1) + 1


def prepare(connection: sqlite3.Connection) -> None:
    """Make empty tables unless those of this version exist. Raises sqlite3.Error."""
    version = _version()
    if connection.execute("PRAGMA user_version").fetchone()[0] == version:
        return
    with writing(connection):
        if connection.execute("PRAGMA user_version").fetchone()[0] != version:  # otherwise another process made them
            for statement in _schema():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")


class writing:  # lower case, because it is used like a function
    """A write transaction: all statements of the block take effect, or none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *ignored: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:  # SQLite may have rolled back itself, for example on a full disk
            self._connection.execute("ROLLBACK")


# Rows ----------------------------------------------------------------------------------------------------------------


def stamps(connection: sqlite3.Connection) -> dict[str, str]:
    """Return id to stamp of every row. Raises sqlite3.Error."""
    return dict(connection.execute("SELECT id, stamp FROM runs"))


def read(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, Entry]:
    """Return the rows of those ``run_ids`` that are in the index.

    Raises:
        sqlite3.Error, ValueError, TypeError: the index is damaged.
    """
    found: dict[str, Entry] = {}
    wanted = json.dumps(list(run_ids))
    rows = connection.execute(f"SELECT {_READABLE} FROM runs WHERE id IN (SELECT value FROM json_each(?))", [wanted])
    for stamp, problem, *values in rows:
        known = dict(zip(_FIELDS, values, strict=True))
        if problem:
            found[known["id"]] = Entry(stamp, None, problem)
            continue
        for name in _AS_JSON:
            known[name] = from_json(known[name])
        if known["remade_chunk"] is not None:
            known["remade_chunk"] -= 1
        for name in _BOOLS:
            known[name] = bool(known[name])
        known["envelope"] = tuple(known["envelope"])
        found[known["id"]] = Entry(stamp, RunSummary(**known))
    return found


def write(connection: sqlite3.Connection, changed: dict[str, Entry], gone: Iterable[str] = ()) -> None:
    """Write the rows of ``changed`` and remove those of ``gone``, in one transaction. Raises sqlite3.Error."""
    names = ("stamp", "problem", *_FIELDS)
    columns = ", ".join(f'"{name}"' for name in names)
    with writing(connection):
        removed = [(run_id,) for run_id in (*changed, *gone)]
        connection.executemany("DELETE FROM chunks WHERE run_id = ?", removed)
        connection.executemany("DELETE FROM runs WHERE id = ?", removed)
        connection.executemany(
            f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * len(names))})",
            ([entry.stamp, entry.problem, *_values(run_id, entry)] for run_id, entry in changed.items()),
        )
        connection.executemany(
            f"INSERT INTO chunks VALUES ({', '.join('?' * len(CHUNK_COLUMNS))})",
            (list(row.values()) for entry in changed.values() for row in entry.chunks),
        )


def _values(run_id: str, entry: Entry) -> Iterator[Any]:
    for name in _FIELDS:
        shown = "remade_number" if name == "remade_chunk" else name  # tables count chunks from 1
        value = run_id if name == "id" else getattr(entry.summary, shown, None)
        yield json.dumps(value, ensure_ascii=False) if name in _AS_JSON and value is not None else value


def chunks_of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return id to the rows of its chunks in order, for those ``run_ids`` in the index. Raises sqlite3.Error."""
    found: dict[str, list[dict[str, Any]]] = {}
    sql = "SELECT * FROM chunks WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, chunk"
    for row in connection.execute(sql, [json.dumps(list(run_ids))]):
        found.setdefault(row[0], []).append(dict(zip(CHUNK_COLUMNS, row, strict=True)))
    return found


# SQL queries ---------------------------------------------------------------------------------------------------------

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def ask(
    connection: sqlite3.Connection, sql: str, seconds: float = QUERY_SECONDS
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run ``sql``, one SELECT; return column names and rows. Makes ``connection`` read-only.

    Raises:
        RunError: ``sql`` is not a SELECT or invalid, or takes more than ``seconds`` or ``QUERY_MAX_ROWS``.
    """
    deadline = time.monotonic() + seconds
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(
            "SELECT 1 FROM json_each('[]'), json_tree('[]')"
        )  # sets these functions up, which the authorizer below would forbid
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        cursor = connection.execute(sql)
        rows = cursor.fetchmany(QUERY_MAX_ROWS + 1)
    except MemoryError as error:
        raise RunError("The answer does not fit into memory.", remedy="Ask for less.") from error
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise RunError(f"The query takes more than {seconds:g} s.", remedy="Ask for less.") from error
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
            raise RunError(
                "Only SELECT is allowed.", remedy="The index is made from the folders of the runs."
            ) from error
        raise RunError(
            f"The query failed: {str(error).rstrip('.')}.", remedy="Use one SELECT over the tables runs and chunks."
        ) from error
    if cursor.description is None:
        raise RunError("The query is empty.", remedy="For example: SELECT id, rtf FROM runs WHERE nfe_step = 7.")
    if len(rows) > QUERY_MAX_ROWS:
        raise RunError(f"The answer has more than {QUERY_MAX_ROWS:,} rows.", remedy="Add LIMIT, or aggregate.")
    return [column[0] for column in cursor.description], rows


def columns() -> dict[str, list[str]]:
    """Return the columns of each table."""
    return {"runs": ["problem", *_FIELDS, *_KNOBS, *_MEASURED], "chunks": list(CHUNK_COLUMNS)}
