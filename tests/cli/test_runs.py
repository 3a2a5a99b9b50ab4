"""``workbench runs``: saved runs are listed, shown, exported, queried and deleted; each mistake gives one line."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests import many_runs
from tests.cli.helpers import last_json
from workbench.cli.parts import output
from workbench.engine.runs import exports, store
from workbench.engine.settings import SynthesisSettings

BAD = "20250101-000000-abcdef"


@pytest.fixture(scope="module")
def made(tiny_engine: Any, voice: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run, and its folder outside of any home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(tmp_path_factory.mktemp("made")))
        run = tiny_engine.run("One two three. Four five six.", voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=20))
        return run, store.save_run(run)


@pytest.fixture
def run(made: tuple[Any, Path]) -> Any:
    """A run that can be heard, newer than five that can only be listed, and a damaged one."""
    many_runs.write_runs(store.runs_root(), 5)
    (store.runs_root() / BAD).mkdir()
    (store.runs_root() / BAD / "run.json").write_text('{"format_version": "\\u001b[31m[/b]"}')
    shutil.copytree(made[1], store.runs_root() / made[0].id)
    return made[0]


def test_ls_lists_the_newest_first_and_what_cannot_be_read(call, run):
    found = last_json(call("runs", "ls", "--json")[1])
    assert [r["id"] for r in found["runs"]] == [run.id, *(many_runs.run_id(k) for k in (4, 3, 2, 1, 0))]
    assert found["runs"][0]["rtf"] == pytest.approx(run.rtf) and found["runs"][-1]["star"] is True
    assert [b["id"] for b in found["broken"]] == [BAD] and found["n_runs"] == 6
    code, out, _ = call("runs", "ls", "--limit", "2")
    assert code == 0 and run.id in out and many_runs.run_id(4) in out and many_runs.run_id(3) not in out
    assert "2 of 6 runs" in out and f"The run {BAD} cannot be read" in out and "\x1b" not in out


def test_ls_marks_a_remade_run(call, run, made, tiny_engine, voice):
    _, out, _ = call("runs", "ls")
    assert "remade" in out and "chunk 2" not in out
    again = tiny_engine.remake(run, voice, 1, seed=7, save=False)
    store.save_run(again)
    (line,) = (line for line in call("runs", "ls")[1].splitlines() if again.id in line)
    assert "chunk 2" in line


@pytest.mark.parametrize(
    ("asked", "found"),
    [("seed=3", 1), ("seed=3 seed>3", 0), ('seed=3 voice!="nobody at all"', 1), ("seed=3 wer<0.1", 0)],
)
def test_ls_compares(call, run, asked, found):
    assert last_json(call("runs", "ls", "--search", asked, "--json")[1])["n_found"] == found


def test_a_search_that_cannot_be_read_is_one_line(call, run):
    code, out, err = call("runs", "ls", "--search", "seed<some")
    assert code == 2 and out == "" and "seed is a number" in err and err.strip().count("\n") == 0


def test_ls_searches(call, run):
    found = last_json(call("runs", "ls", "--search", "SEED=3 nature", "--json")[1])
    assert [r["id"] for r in found["runs"]] == [many_runs.run_id(3)] and found["n_found"] == 1
    assert last_json(call("runs", "ls", "--limit", "0", "--json")[1])["runs"] == []


def test_show_is_the_document_of_the_run(call, run):
    store.annotate(run.id, note="heard \x1b[31m")
    found = last_json(call("runs", "show", run.id, "--json")[1])
    assert {k: found[k] for k in run.as_dict()} == json.loads(json.dumps(run.as_dict()))
    assert found["note"] == "heard \x1b[31m" and found["folder"].endswith(run.id)
    code, out, _ = call("runs", "show", run.id)
    assert code == 0 and "Four five six." in out and "note: heard \\x1b[31m" in out and "wrote" not in out


def test_rm_asks_and_deletes_each_whatever_becomes_of_the_others(call, run, monkeypatch):
    one, two = many_runs.run_id(0), many_runs.run_id(1)
    code, _, err = call("runs", "rm", one)
    assert code == 2 and "Add --yes" in err and store.run_folder(one)
    code, _, err = call("runs", "rm", one, BAD, "20260101-000000-ffffff", "--yes")
    assert code == 2 and "There is no run 20260101-000000-ffffff" in err and store.run_folder(one)
    real = store.delete_run
    monkeypatch.setattr(store, "delete_run", lambda i: real("20260101-000000-ffffff") if i == two else real(i))
    code, out, err = call("runs", "rm", one, two, BAD, one, "--yes", "--json")
    assert code == 2 and last_json(out)["deleted"] == [one, BAD] and len(last_json(out)["problems"]) == 1
    assert len(store.list_runs()) == 5 and store.broken_runs() == []


@pytest.mark.parametrize(("answer", "left"), [(False, 6), (True, 5)])
def test_rm_does_what_is_answered(call, run, monkeypatch, answer, left):
    monkeypatch.setattr(output.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr(output.typer, "confirm", lambda question, err: answer)
    assert call("runs", "rm", run.id)[0] == (0 if answer else 1)
    assert len(store.list_runs()) == left


@pytest.mark.parametrize("kind", [one.name for one in exports.every()])
def test_export_writes_what_the_page_would(call, run, tmp_path, kind):
    found = last_json(call("runs", "export", run.id, "--as", kind, "--json")[1])
    content = (tmp_path / found["out"]).read_bytes()
    assert len(content) == found["bytes"] > 0 and run.id in found["out"]
    begins = {"wav": b"RIFF", "flac": b"fLaC", "csv": b"chunk,", "textgrid": b"File type", "trace": b"{", "zip": b"PK",
              "srt": b"1\n", "vtt": b"WEBVTT", "contours": b"time_s,f0_hz", "mel": b"time_s,db_at"}  # fmt: skip
    assert re.search(rf"\b{kind}\b", call("runs", "export", "--help")[1])
    assert content.startswith(begins[kind])


def test_an_export_is_the_run_and_never_overwrites_unasked(call, run, tmp_path):
    for _ in range(2):
        assert call("runs", "export", run.id)[0] == 0
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    assert names == [f"f5tts-{run.id}-2.wav", f"f5tts-{run.id}.wav"]
    wave, rate = soundfile.read(tmp_path / names[0], dtype="float32")
    assert rate == run.sample_rate and np.abs(wave - run.wave).max() < 1e-4
    (tmp_path / "own.wav").write_bytes(b"old")
    assert call("runs", "export", run.id, "--out", "own.wav")[0] == 0
    assert (tmp_path / "own.wav").read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "../x"), "is not the id of a run"),
        (("show", "20260101-000000-ffffff"), "There is no run"),
        (("show", BAD), "cannot be read"),
        (("rm", "../x", "--yes"), "is not the id of a run"),
        (("export", BAD), "cannot be read"),
        (("export", "20260101-000000-ffffff"), "There is no run"),
        (("export", many_runs.run_id(1)), "cannot be read"),
        (("export", many_runs.run_id(1), "--as", "mp3"), "There is no export 'mp3'"),
        (("export", many_runs.run_id(1), "--out", "no/such/folder.wav"), "Cannot write"),
        (("sql", "DELETE FROM runs"), "Only SELECT is allowed"),
        (("sql", "SELECT x FROM runs"), "no such column: x"),
        (("sql", "SELECT \udcff"), "query failed"),
        (("sql", "SELECT 1", "--json", "--csv"), "exclude each other"),
        (("sql", "SELECT 1", "--time-limit", "nan"), "time-limit"),
        (("ls", "--limit", "-1"), "limit"),
    ],
)
def test_a_mistake_is_one_line(call, run, words, said):
    code, out, err = call("runs", *words)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1
    assert len(store.list_runs()) == 6


def test_sql_answers_as_table_json_or_csv(call, run):
    question = "SELECT voice, count(*) AS n, x'00ff' AS raw FROM runs WHERE nfe_step = 32 GROUP BY voice ORDER BY voice"
    rows = [["Mia", 1, "00ff"], ["Nora", 2, "00ff"], ["Paul", 2, "00ff"]]
    assert last_json(call("runs", "sql", question, "--json")[1]) == {"columns": ["voice", "n", "raw"], "rows": rows}
    sheet = list(csv.reader(io.StringIO(call("runs", "sql", question, "--csv")[1])))
    assert sheet == [["voice", "n", "raw"], *([str(cell) for cell in row] for row in rows)]
    out = call("runs", "sql", question)[1]
    assert "3 rows" in out and "Nora" in out
    assert BAD in call("runs", "sql", "SELECT id, problem FROM runs WHERE problem <> ''")[1]


def test_sql_without_a_question_names_the_columns(call):
    found = last_json(call("runs", "sql", "--json")[1])
    assert ["runs", "nfe_step"] in found["rows"] and ["chunks", "duration_frames"] in found["rows"]


def test_texts_steer_no_terminal_and_reach_programs_as_they_are(call, run, monkeypatch):
    question = "SELECT char(27) || '[31mred' AS x, 'two' || char(10) || 'lines' AS y"
    assert call("runs", "sql", question, "--csv")[1] == 'x,y\n\x1b[31mred,"two\nlines"\n'
    assert "\x1b" not in call("runs", "sql", question)[1]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\\x1b[31mred" in call("runs", "sql", question, "--csv")[1]
