"""An evaluation speaks and measures every utterance once, whatever stops it, and says what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

import workbench
from tests.engine.evaluation.conftest import TEXTS, write_csv, write_recording
from workbench.engine import measures
from workbench.engine.errors import Cancelled, OutputError, RunError, SettingsError, VoiceError
from workbench.engine.evaluation import Evaluation, How, folder_of, list_evaluations, measuring, open_evaluation
from workbench.engine.evaluation.plan import read_plan
from workbench.engine.evaluation.results import read_results
from workbench.engine.files.alone import alone_in
from workbench.engine.measures import registry
from workbench.engine.runs.store import delete_run, list_runs, run_folder
from workbench.engine.settings import SynthesisSettings

Open = Callable[..., Evaluation]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the measure "n_letters" has measured."""
    seen: list[str] = []

    def letters(sound: measures.Sound) -> float:
        seen.append(sound.text)
        return float(len(sound.text))

    monkeypatch.setattr(registry, "_MEASURES", dict(registry._MEASURES))
    measures.registry.measure(
        "n_letters", "", "Letters.", of=(measures.SOUND,), better="lower", cost=measures.SECONDS, misleads="never."
    )(letters)
    return seen


def test_every_utterance_has_a_run_measures_and_a_row(opened: Open) -> None:
    evaluation = opened()
    document = evaluation.run()
    assert (document["n_spoken"], document["n_failed"], document["n_skipped"]) == (3, 0, 0)
    rows = {row["id"]: row for row in document["utterances"]}
    assert [row["text"] for row in rows.values()] == list(TEXTS)
    assert {row["run"] for row in rows.values()} == {run.id for run in list_runs()}
    assert {run.sweep for run in list_runs()} == {"small"}
    assert all(row["values"]["rtf"] > 0 and 0 <= row["values"]["voiced_percent"] <= 100 for row in rows.values())
    summary = document["measures"]["voiced_percent"]
    assert summary["n"] == 3 and summary["interval"][0] <= summary["mean"] <= summary["interval"][1]
    assert read_results(evaluation.folder) == json.loads(json.dumps(document))
    table = pandas.read_parquet(evaluation.folder / "results.parquet")
    assert list(table.id) == ["u0", "u1", "u2"] and set(table.run) == {run.id for run in list_runs()}
    assert pandas.read_csv(evaluation.folder / "results.csv").rtf.tolist() == pytest.approx(table.rtf.tolist())


def test_nothing_is_made_twice_and_new_measures_are_added(opened: Open, counted: list[str]) -> None:
    first = opened().run()
    again = opened(measures=("n_letters", "voiced_percent"))
    assert again.missing() == []
    document = again.run()
    assert [row["run"] for row in document["utterances"]] == [row["run"] for row in first["utterances"]]
    assert sorted(counted) == sorted(TEXTS) and len(list_runs()) == 3
    opened(measures=("n_letters",)).run()
    assert len(counted) == 3
    longer = opened(*TEXTS, "One more.", measures=("n_letters",)).run()
    assert len(counted) == 4 and len(list_runs()) == 4 and longer["n_spoken"] == 4


@pytest.mark.parametrize("stop_after", range(6))
def test_a_stop_anywhere_costs_only_what_is_missing(opened: Open, counted: list[str], stop_after: int) -> None:
    done: list[int] = []

    def check() -> None:
        if len(done) >= stop_after:
            raise Cancelled()

    first = opened(measures=("n_letters",))
    with pytest.raises(Cancelled):
        first.run(check=check, on_done=lambda: done.append(1))
    n_runs, n_measured = len(list_runs()), len(counted)
    assert (n_runs, n_measured) == (min(stop_after, 3), max(0, stop_after - 3))
    kept = {run.id for run in list_runs()}
    document = opened(measures=("n_letters",)).run()
    assert kept <= {row["run"] for row in document["utterances"]} == {run.id for run in list_runs()}
    assert sorted(counted) == sorted(TEXTS) and document["measures"]["n_letters"]["n"] == 3


@pytest.mark.cluster
def test_a_killed_process_goes_on(tiny_home: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "set.csv", *(f"Words of the sentence {word}." for word in "abcdefghijkl"))
    words = f"--model tiny --nfe-step 8 --device cpu --measures voiced_percent --out {tmp_path / 'killed'} --json"
    command = [sys.executable, "-m", "workbench", "evaluate", str(path), *words.split()]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ.copy())
    trials = tmp_path / "killed" / "trials"
    end = time.monotonic() + 50
    while time.monotonic() < end and running.poll() is None and len(list(trials.glob("*.json"))) < 2:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = {p.name for p in trials.glob("*.json")}
    assert len(kept) >= 2
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ.copy())
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["n_spoken"] == 12 == len({row["run"] for row in document["utterances"]}) == len(list_runs())
    assert kept <= {f"{row['trial']}.json" for row in document["utterances"]}


def test_a_deleted_run_is_spoken_again_only_if_something_is_to_be_measured(opened: Open, counted: list[str]) -> None:
    first = opened().run()
    delete_run(first["utterances"][0]["run"])
    same = opened().run()
    assert same["utterances"][0]["values"] == first["utterances"][0]["values"] and len(list_runs()) == 2
    more = opened(measures=("n_letters",)).run()
    assert more["measures"]["n_letters"]["n"] == 3 and len(list_runs()) == 3
    assert more["utterances"][0]["run"] != first["utterances"][0]["run"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": 9}'])
def test_damaged_measures_and_records_are_made_again(opened: Open, counted: list[str], content: bytes) -> None:
    evaluation = opened(measures=("n_letters",))
    evaluation.run()
    trial = evaluation.batch.trials[0].id
    (evaluation.folder / "measured" / trial / "measures.json").write_bytes(content)
    assert opened(measures=("n_letters",)).run()["measures"]["n_letters"]["n"] == 3
    assert len(counted) == 3, "the run keeps its measures too"
    (evaluation.folder / "trials" / f"{trial}.json").write_bytes(content)
    assert opened(measures=("n_letters",)).run()["n_spoken"] == 3 == len(list_runs()), "its run is found again"


def test_an_utterance_that_fails_is_named_and_the_others_go_on(opened: Open) -> None:
    document = opened("Some words.", "漢字だけ").run()
    assert (document["n_spoken"], document["n_failed"]) == (1, 1)
    assert "漢" in document["utterances"][1]["error"] and document["measures"]["voiced_percent"]["n"] == 1
    assert "u1 failed" in (Path(opened().folder) / "report.md").read_text()


def test_a_sound_that_cannot_be_measured_is_named_and_tried_again(
    opened: Open, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = measuring.measure_run

    def fails(run_id: str, *args: object, **more: object) -> object:
        if run_id == first["utterances"][1]["run"]:
            raise ZeroDivisionError("of a library")
        return real(run_id, *args, **more)  # type: ignore[arg-type]

    first = opened().run()
    monkeypatch.setattr(measuring, "measure_run", fails)
    document = opened(measures=("n_letters",)).run()
    assert document["measures"]["n_letters"]["n"] == 2
    assert "ZeroDivisionError: of a library" in document["lacking"][0] and "u1" in document["lacking"][0]
    monkeypatch.setattr(measuring, "measure_run", real)
    assert opened(measures=("n_letters",)).run()["lacking"] == []


def test_missing_packages_and_models_are_said_and_everything_else_goes_on(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for absent in (lambda name: None, lambda name: object()):  # no package; then packages, but no model
        monkeypatch.setattr(registry, "find_spec", absent)
        document = opened(measures=("wer", "voiced_percent")).run()
        assert list(document["measures"]) == ["voiced_percent", "rtf"] and document["n_spoken"] == 3
        assert len(document["lacking"]) == 1 and "WER" in document["lacking"][0] and "CER" in document["lacking"][0]
        report = (opened().folder / "report.html").read_text()
        assert "pip install" in report or "cache fetch" in report
    assert "cache fetch" in document["lacking"][0]


def test_equal_utterances_are_spoken_once(opened: Open) -> None:
    document = opened("Some words.", "Other words.", "Some words.").run()
    rows = document["utterances"]
    assert rows[0]["run"] == rows[2]["run"] != rows[1]["run"] and len(list_runs()) == 2 and document["n_spoken"] == 3


def test_a_recording_is_the_voice_of_its_line(tiny_home: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "low.wav", 110)
    write_recording(tmp_path / "high.wav", 220)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    lines = ["a|Words of mine.|low.wav|Hello.", "b|Words of mine.|high.wav|Hello.", "c|Words.|broken.wav|Hello."]
    (tmp_path / "meta.lst").write_text("\n".join(lines))
    document = workbench.evaluate(tmp_path / "meta.lst", model="tiny", settings=workbench.SynthesisSettings(nfe_step=1),
                                  load=workbench.LoadSettings(device="cpu"), measures=["voiced_percent"])  # fmt: skip
    assert [(row["id"], row["voice"]) for row in document["utterances"]] == [("a", "low"), ("b", "high")]
    assert [(s["line"], s["id"]) for s in document["skipped"]] == [(3, "c")]
    assert len(list_runs()) == 2 and list_evaluations() == ["meta tiny"]
    assert read_results(folder_of("meta tiny"))["n_skipped"] == 1


def test_true_recordings_are_measured_once_and_stand_beside_the_speech(
    tiny_home: Path, tmp_path: Path, counted: list[str]
) -> None:
    write_recording(tmp_path / "a.wav")
    write_recording(tmp_path / "true.wav", 200)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    lines = ["a|Words of mine.|a.wav|Hello.|true.wav", "b|Words of mine.|a.wav|Hello you.|broken.wav",
             "c|Words of mine.|a.wav|Hello me."]  # fmt: skip
    (tmp_path / "meta.lst").write_text("\n".join(lines))
    how = How("tiny", settings=SynthesisSettings(nfe_step=1))

    def run(*names: str, truth: bool = True) -> dict[str, Any]:
        opened = open_evaluation(tmp_path / "meta.lst", how, measures=names, truth=truth)
        done: list[int] = []
        n_steps = opened.n_steps()
        document = opened.run(on_done=lambda: done.append(1))
        assert len(done) == n_steps
        return document

    assert run("n_letters", "median_f0_hz", truth=False)["measures"]["n_letters"]["truth"] is None
    document = run("n_letters", "median_f0_hz")
    assert document["measures"]["n_letters"]["truth"]["n"] == 1 and document["measures"]["n_letters"]["n"] == 3
    assert document["utterances"][0]["true_values"]["median_f0_hz"] == pytest.approx(200, rel=0.05)
    assert "median F0: no utterance has a value" in document["lacking"], "the tiny model has no voice"
    assert [line for line in document["lacking"] if "true recording of b" in line]
    table = pandas.read_parquet(folder_of("meta tiny") / "results.parquet")
    assert table.true_n_letters.tolist()[0] == 6 and table.true_n_letters.isna().tolist() == [False, True, True]
    run("n_letters", "median_f0_hz")
    assert sorted(counted) == ["Hello me.", "Hello you.", "Hello.", "Hello."]


def test_other_weights_under_the_same_name_are_noticed(opened: Open) -> None:
    document = opened().run()
    assert len(document["weights"]) == 1 and document["devices"] == ["cpu fp32"]
    path = run_folder(document["utterances"][0]["run"]) / "run.json"
    told = json.loads(path.read_bytes())
    told["weights"]["acoustic"] = "ab" * 32
    path.write_text(json.dumps(told))
    document = opened().run()
    assert len(document["weights"]) == 2 and any(name.startswith("abab") for name in document["weights"])
    assert "weights have changed" in (opened().folder / "report.md").read_text()


def test_another_setting_needs_another_folder(opened: Open) -> None:
    opened().run()
    with pytest.raises(SettingsError, match=r"nfe_step was 1, not 2.*--out"):
        opened(steps=2)
    assert opened(steps=2, out="other").run()["n_spoken"] == 3


def test_what_cannot_be_evaluated_is_refused(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no measure 'beauty'.*wer"):
        opened(measures=("beauty",))
    with pytest.raises(SettingsError, match="not valid for an evaluation"):
        opened(out="...")
    with pytest.raises(VoiceError):
        open_evaluation(tmp_path / "set.csv", How("tiny", voice="nobody"))
    evaluation = opened()
    with alone_in(evaluation.folder), pytest.raises(SettingsError, match="Another process"):
        evaluation.run()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be saved"):
        opened(out="file/below").run()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff"])
def test_a_damaged_or_newer_plan_ends_in_one_line(opened: Open, content: bytes) -> None:
    evaluation = opened()
    evaluation.run()
    (evaluation.folder / "evaluation.json").write_bytes(content)
    with pytest.raises(RunError):
        read_plan(evaluation.folder)
    with pytest.raises(RunError):
        opened()
