"""A run for each row of a CSV: checked first, resumable, and reported row by row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.engine.scripts.conftest import QUICK
from workbench.engine.errors import Cancelled, SettingsError, TextError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.scripts.batch import Batch, Done, read_lines

ROWS = """id,text,voice,speed,nfe
one,"Hello there, you.",Clara,0.9,
two,[Nora] The lake was calm. [Arthur] It was not.,,,3
three,Hello.,Norra,,
four,Hello.,,80,
five,...,,,
,"The last one ends.",,,
"""


@pytest.fixture
def pool(tiny_engine: Any) -> EnginePool:
    pool = EnginePool()
    pool.add(tiny_engine)
    return pool


def lines(tiny_engine: Any, cast: Any, content: str = ROWS) -> Any:
    asked = tiny_engine.request("", cast.main, QUICK)
    return read_lines(content, cast, QUICK, model=asked.model, folder=asked.folder, load=asked.load)


def test_each_row_is_a_run_and_a_line_of_the_report(
    tiny_engine: Any, cast: Any, pool: EnginePool, tmp_path: Path
) -> None:
    told: list[Done] = []
    found = Batch(lines(tiny_engine, cast), tmp_path / "out").speak(pool, on_done=told.append)
    assert found == told and [one.id for one in found] == ["one", "two", "three", "four", "five", "0006"]
    assert [one.status for one in found] == ["done", "done", "failed", "failed", "failed", "done"]
    assert "Did you mean Nora?" in found[2].error and "out of its range" in found[3].error
    assert "nothing to pronounce" in found[4].error and found[1].voice == "Nora, Arthur"
    with (tmp_path / "out/report.csv").open(encoding="utf-8") as file:
        report = list(csv.DictReader(file))
    assert [row["status"] for row in report] == [one.status for one in found]
    alone = tiny_engine.run("Hello there, you.", cast.load("Clara"), QUICK.replace(speed=0.9), save=False)
    wave, rate = soundfile.read(tmp_path / "out/one.wav", dtype="float32")
    assert rate == 24_000 and np.abs(wave - np.clip(alone.wave, -1, 1)).max() < 1 / 2**14
    runs = {run.id: run for run in store.list_runs()}
    assert {one.run for one in found if one.run} == set(runs) and len(runs) == 3
    assert runs[found[1].run].settings["nfe_step"] == 3


def test_it_goes_on_where_it_was_stopped(tiny_engine: Any, cast: Any, pool: EnginePool, tmp_path: Path) -> None:
    def stop(progress: Any) -> None:
        if (tmp_path / "out/one.wav").exists():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        Batch(lines(tiny_engine, cast), tmp_path / "out").speak(pool, on_step=stop)
    again = Batch(lines(tiny_engine, cast), tmp_path / "out")
    assert list(again.done()) == ["one"]
    told: list[Done] = []
    found = again.speak(pool, on_done=told.append)
    assert [one.id for one in told] == ["two", "three", "four", "five", "0006"] and len(found) == 6
    assert list(again.done()) == ["one", "two", "0006"]


def test_a_changed_row_or_a_lost_file_is_spoken_again(
    tiny_engine: Any, cast: Any, pool: EnginePool, tmp_path: Path
) -> None:
    rows = "id,text\na,Hello there.\nb,And here.\nc,And there.\n"
    Batch(lines(tiny_engine, cast, rows), tmp_path / "out").speak(pool, save=False)
    (tmp_path / "out/b.wav").unlink()
    changed = Batch(lines(tiny_engine, cast, rows.replace("And there.", "Nowhere.")), tmp_path / "out")
    assert list(changed.done()) == ["a"] and store.list_runs() == []
    with (tmp_path / "out/batch.jsonl").open("ab") as file:
        file.write(b'\n{"id": "b", "stat')  # a crash cut this line short
    assert list(changed.done()) == ["a"]
    changed.speak(pool, save=False)
    assert list(changed.done()) == ["a", "b", "c"]


def test_names_of_files_are_valid_and_apart(tiny_engine: Any, cast: Any, pool: EnginePool, tmp_path: Path) -> None:
    rows = 'id,text\n../a/b,Hello there.\n..:a:b,Hello there.\n"é ",Hello there.\n'
    found = Batch(lines(tiny_engine, cast, rows), tmp_path / "out").speak(pool, save=False)
    assert len({one.file for one in found}) == 3 and all(one.status == "done" for one in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    notes = [json.loads(line) for line in (tmp_path / "out/batch.jsonl").read_bytes().splitlines() if line]
    assert [note["id"] for note in notes] == ["../a/b", "..:a:b", "é"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_usual_marks_part_fields(tiny_engine: Any, cast: Any, mark: str) -> None:
    rows = f'\ufeffid{mark}text{mark}voice\r\na{mark}"Hello{mark} there."{mark}Clara\r\n\r\n'.removeprefix("\ufeff")
    (line,) = lines(tiny_engine, cast, rows)
    assert line.request is not None and line.request.text == f"Hello{mark} there." and list(line.voices) == ["Clara"]


@pytest.mark.parametrize(
    ("content", "error"),
    [("", TextError), ("id,words\na,b\n", TextError), ("id,text\n", TextError), ("text,text\na,b\n", SettingsError),
     ("id,text,tempo\na,b,1\n", SettingsError), ("id,text\na,Hello.\nA,Hello.\n", SettingsError)],
)  # fmt: skip
def test_a_table_that_makes_no_sense_is_refused(tiny_engine: Any, cast: Any, content: str, error: type) -> None:
    with pytest.raises(error):
        lines(tiny_engine, cast, content)


def test_a_row_with_too_many_fields_is_told(tiny_engine: Any, cast: Any) -> None:
    first, second = lines(tiny_engine, cast, "id,text\na,Hello, you.\nb,Hello.\n")
    assert "more fields than the heading" in first.error and second.request is not None


@pytest.mark.parametrize("content", ['text\n"Hello there.\nNot closed.\n', 'id,text\na,"Hello" there.\n'])
def test_quotes_that_do_not_close_hide_no_rows(tiny_engine: Any, cast: Any, content: str) -> None:
    with pytest.raises(TextError, match=r"cannot be read after line [12]: .* A field in quotes ends with one"):
        lines(tiny_engine, cast, content)
