"""The index of runs: rows of chunks, and SQL queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import many_runs
from tests.engine.runs.indexed import agrees
from workbench.engine import measures
from workbench.engine.errors import RunError
from workbench.engine.runs import index, store, tables
from workbench.engine.runs.summary import chunk_rows_of


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
        ("SELECT load_extension('x')", "query failed"),
        ("SELECT 1; DROP TABLE runs", "query failed"),
        ("SELECT nobody FROM runs", "no such column: nobody"),
        ("nonsense", "syntax error"),
        ("SELECT \ud800", "query failed"),
        ("SELECT \x00", "query failed"),
        ("SELECT zeroblob(1000000000)", "too big"),
        ("", "query is empty"),
        ("-- a comment", "query is empty"),
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
