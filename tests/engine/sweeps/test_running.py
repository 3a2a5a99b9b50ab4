"""A sweep is spoken once, whatever stops it: each trial has one run, and what is there is not made again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from pyarrow import parquet

from tests.engine.sweeps.conftest import FIXED, small
from workbench.engine.errors import Cancelled, OutputError, RunError, SettingsError
from workbench.engine.files.alone import alone_in, is_running
from workbench.engine.measures import Measure
from workbench.engine.runs.store import list_runs, load_run
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings.library import keep_voice, remove_voice
from workbench.engine.speech.voices import make_voice
from workbench.engine.sweeps import Sweep, find_sweep, open_sweep, running
from workbench.engine.sweeps.executors.local import Local
from workbench.engine.sweeps.executors.process import Processes
from workbench.engine.sweeps.records import list_sweeps, sweeps_root
from workbench.engine.sweeps.worker import Outcome


def speak(sweep: Sweep, how: Local, stop_after: int = 99) -> int:
    """Run ``sweep``; how many trials were spoken, at most ``stop_after``."""
    spoken: list[str] = []

    def check() -> None:
        if len(spoken) >= stop_after:
            raise Cancelled()

    try:
        sweep.run(how, check=check, on_record=lambda record: spoken.append(record.trial))
    except Cancelled:
        assert len(spoken) == stop_after
    return len(spoken)


def test_every_trial_has_a_run_and_a_row(here: Local) -> None:
    fixed = {name: value for name, value in FIXED.items() if name != "nfe_step"}
    sweep = open_sweep(small({"seed": [0, 1], "nfe_step": [1, 2]}, fixed=fixed))
    assert speak(sweep, here) == 4
    rows = sweep.rows()
    assert [(row["seed"], row["nfe_step"]) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert {row["run"] for row in rows} == {run.id for run in list_runs()} and {r.sweep for r in list_runs()} == {
        "small"
    }
    for row in rows:
        run = load_run(row["run"])
        assert (run.settings.seed, run.settings.nfe_step) == (row["seed"], row["nfe_step"])
        assert row["rtf"] == pytest.approx(run.rtf) and row["worker_loads"] >= 1 and row["warm_up_seconds"] > 0


def test_what_is_done_is_not_done_again(here: Local) -> None:
    assert speak(open_sweep(small()), here) == 4
    assert speak(open_sweep(small()), here) == 0
    assert speak(open_sweep(small({"seed": [0, 1, 2, 3, 4]})), here) == 1
    assert len(list_runs()) == 5


def test_a_stop_costs_what_is_missing(here: Local) -> None:
    first = open_sweep(small())
    assert speak(first, here, stop_after=2) == 2 and len(first.rows()) == 2
    assert len(pandas.read_parquet(first.folder / "results.parquet")) == 2
    assert speak(find_sweep("small"), here) == 2
    assert len(list_runs()) == 4 == len(find_sweep("small").rows())


def test_a_run_saved_just_before_the_end_is_taken_in(here: Local) -> None:
    sweep = open_sweep(small(repeats=2))
    speak(sweep, here)
    kept = {row["trial"]: row["rtf"] for row in sweep.rows()}
    lost = sorted((sweep.folder / "trials").iterdir())[:3]
    for path in lost:
        path.unlink()
    assert speak(find_sweep("small"), here) == 0 and len(list_runs()) == 8
    found = {row["trial"]: row["rtf"] for row in find_sweep("small").rows()}
    assert sorted(found.values()) == pytest.approx(sorted(kept.values())) and found.keys() == kept.keys()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"version": 1, "trial": 3}', b'{"version": 99}', b"1"]
)
def test_a_damaged_record_counts_as_not_there(here: Local, content: bytes) -> None:
    sweep = open_sweep(small({"seed": [0, 1]}))
    speak(sweep, here)
    damaged = sorted((sweep.folder / "trials").iterdir())[0]
    damaged.write_bytes(content)
    (sweep.folder / "trials" / ".DS_Store").write_bytes(b"x")
    assert len(sweep.rows()) == 1
    speak(find_sweep("small"), here)
    assert len(find_sweep("small").rows()) == 2 == len(list_runs())


def test_a_trial_that_cannot_be_spoken_is_kept_with_its_reason_and_tried_again(here: Local) -> None:
    grid = small({"text": ["Some words.", "漢字だけ"]}, fixed={k: v for k, v in FIXED.items() if k != "text"})
    rows = open_sweep(grid).run(here)
    (bad,) = (row for row in rows if row["error"])
    assert "漢" in bad["error"] and not bad["run"] and len(list_runs()) == 1
    assert speak(open_sweep(grid), here) == 1


def test_a_moved_folder_goes_on(here: Local, tmp_path: Path) -> None:
    recording = tmp_path / "me.wav"
    t = np.arange(72_000) / 24_000
    wave = (0.1 * np.sin(2 * np.pi * 150 * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(np.float32)
    recording.write_bytes(to_bytes(wave, 24_000))
    grid = small(fixed=FIXED | {"voice": {"recording": str(recording), "words": "Some words of mine."}})
    first = open_sweep(grid)
    speak(first, here, stop_after=2)
    recording.unlink()
    moved = sweeps_root() / "elsewhere"
    shutil.move(first.folder, moved)
    found = open_sweep(find_sweep("elsewhere").grid, moved)
    assert [t.id for t in found.trials] == [t.id for t in first.trials]
    assert speak(found, here) == 2 and len(found.rows()) == 4


def test_two_processes_do_not_run_one_sweep(here: Local) -> None:
    sweep = open_sweep(small())
    with alone_in(sweep.folder):
        assert is_running(sweep.folder)
        with pytest.raises(SettingsError, match="Another process"):
            sweep.run(here)
    assert not is_running(sweep.folder) and speak(sweep, here) == 4


def test_tables_open_in_pandas_and_in_a_spreadsheet(here: Local) -> None:
    sweep = open_sweep(small({"max_chunk_bytes": ["unset", 20], "seed": [0]}))
    speak(sweep, here)
    table = parquet.read_table(sweep.folder / "results.parquet")
    found = pandas.read_csv(sweep.folder / "results.csv")
    assert list(found.columns) == table.column_names and len(found) == table.num_rows == 2
    assert found.rtf.tolist() == pytest.approx(table.column("rtf").to_pylist())
    assert sorted(map(str, table.column("max_chunk_bytes").to_pylist())) == ["20", "None"]


def test_a_measure_is_taken_of_every_run(here: Local) -> None:
    rows = open_sweep(small({"seed": [0, 1]}, measures=["voiced_percent"])).run(here)
    assert all(0 <= row["voiced_percent"] <= 100 for row in rows)


def test_a_folder_that_cannot_be_written_ends_in_one_line(here: Local, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be saved"):
        open_sweep(small(), tmp_path / "file" / "below").run(here)


def test_lists_leave_out_what_is_no_sweep(here: Local) -> None:
    speak(open_sweep(small({"seed": [0]})), here)
    (sweeps_root() / "empty").mkdir()
    (sweeps_root() / "file").write_text("x")
    assert list_sweeps() == ["small"]
    with pytest.raises(RunError):
        find_sweep("empty")
    with pytest.raises(SettingsError):
        find_sweep("../small")


@pytest.mark.parametrize("content", ["", "3", "{}", '{"version": 1, "voices": 3}', '{"version": 1}'])
def test_a_damaged_grid_is_named(here: Local, content: str) -> None:
    sweep = open_sweep(small({"seed": [0]}))
    speak(sweep, here)
    (sweep.folder / "sweep.json").write_text(content)
    with pytest.raises((RunError, SettingsError)):
        find_sweep("small")
    assert speak(open_sweep(small({"seed": [0]})), here) == 0  # its grid mends it


def test_a_sweep_of_a_newer_workbench_is_left_as_it_is(here: Local) -> None:
    sweep = open_sweep(small({"seed": [0]}))
    speak(sweep, here)
    newer = '{"version": 99, "grid": "as nobody knows it yet"}'
    (sweep.folder / "sweep.json").write_text(newer)
    for opened in (lambda: find_sweep("small"), lambda: open_sweep(small({"seed": [0, 1]})), lambda: sweep.run(here)):
        with pytest.raises(RunError, match="newer workbench"):
            opened()
    assert (sweep.folder / "sweep.json").read_text() == newer and len(list_runs()) == 1


def test_an_executor_that_fails_leaves_what_was_done(here: Local) -> None:
    class Failing:
        def run(self, tasks: Any, check: Any = None) -> Any:
            yield from here.run(tasks[:2])
            raise OSError(28, "No space left on device")

    sweep = open_sweep(small())
    with pytest.raises(OutputError, match="No space left"):
        sweep.run(Failing())
    assert len(sweep.rows()) == 2 and speak(sweep, here) == 2


def test_the_face_takes_a_mapping(here: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "executor", lambda *args, **kwargs: here)
    rows = running.sweep({"name": "small", "fixed": FIXED, "grid": {"seed": [0, 1]}})
    assert [row["seed"] for row in rows] == [0, 1]


def test_records_are_json_that_names_its_version(here: Local) -> None:
    sweep = open_sweep(small({"seed": [0]}))
    speak(sweep, here)
    (path,) = (sweep.folder / "trials").iterdir()
    given = json.loads(path.read_bytes())
    assert given["version"] == 1 and given["run"] == list_runs()[0].id and dataclasses.is_dataclass(Outcome)


def test_what_cannot_be_measured_here_is_said_before_anything_is_spoken(here: Local) -> None:
    sweep = open_sweep(small({"seed": [0]}, measures=["wer", "wer"]))
    with pytest.raises(SettingsError, match="leave this measure out"):
        sweep.run(here)
    assert not list_runs() and not sweep.folder.exists()


def test_a_measure_that_fails_does_not_cost_the_run(here: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    value = Measure.value

    def fail(self: Measure, subject: Any) -> float | None:
        if self.name == "voiced_percent":
            raise ValueError("no such sound")
        return value(self, subject)

    monkeypatch.setattr(Measure, "value", fail)
    (row,) = open_sweep(small({"seed": [0]}, measures=["voiced_percent"])).run(here)
    assert row["voiced_percent"] is None and not row["error"] and row["run"] == list_runs()[0].id


def test_a_script_is_spoken_by_all_its_voices_also_in_another_process(tiny_home: Path) -> None:
    text = "[Nora] One boat is here. [pause 0.5s] [Clara speed=1.2] Two boats are there."
    sweep = open_sweep(small({"seed": [0]}, fixed=FIXED | {"text": text}))
    (row,) = sweep.run(Processes(1, 1))
    run = load_run(row["run"])
    assert not row["error"] and row["voice"] == "Nora, Clara"
    assert [one.name for one in run.request.script.speakers] == ["Nora", "Clara"] and len(run.chunks) == 2
    for path in (sweep.folder / "trials").iterdir():
        path.unlink()
    assert speak(find_sweep("small"), Local()) == 0  # the run is taken in by its content


def test_a_voice_that_is_known_nowhere_else_is_taken_from_the_sweep(here: Local, tmp_path: Path) -> None:
    t = np.arange(72_000) / 24_000
    wave = (0.1 * np.sin(2 * np.pi * 150 * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(np.float32)
    (tmp_path / "me.wav").write_bytes(to_bytes(wave, 24_000))
    keep_voice(make_voice(tmp_path / "me.wav", "Some words of mine."), "Mine")
    first = open_sweep(small({"seed": [0, 1]}, fixed=FIXED | {"voice": "Mine"}))
    speak(first, here, stop_after=1)
    remove_voice("Mine")
    found = find_sweep("small")
    assert [t.id for t in found.trials] == [t.id for t in first.trials] and speak(found, here) == 1
