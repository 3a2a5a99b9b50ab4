"""Measures kept with a run: made on request, in the index, beside what others made; damage disturbs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine import measures
from workbench.engine.asr import recogniser
from workbench.engine.asr.recogniser import Heard
from workbench.engine.errors import Cancelled, RecogniserError, RunError, SettingsError
from workbench.engine.measures import registry
from workbench.engine.measures.intelligibility import Step
from workbench.engine.runs import index, store
from workbench.engine.runs.measured.files import NAME, Measured, flagged, read_measured, write_measured
from workbench.engine.runs.measured.making import measure_run, named
from workbench.engine.settings import SynthesisSettings

TEXT = "The first sentence is here. The second one follows it. A third one ends."


@pytest.fixture
def saved(tiny_engine: Any, voice: Any) -> str:
    run = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=1, max_chunk_bytes=30), save=False)
    store.save_run(run)
    return run.id


class Ears:
    """Hears what was said, but in the second chunk."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), []

    def hear(self, wave: np.ndarray, rate: int, *, language: str = "") -> Heard:
        self.asked.append(language)
        return Heard(self.texts[(len(self.asked) - 1) % len(self.texts)], "en", 0.9, "whisper-base", 0.1)


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    for package in ("jiwer", "whisper_normalizer", "faster_whisper"):
        pytest.importorskip(package)
    found = Ears("The first sentence is here.", "The second it it.", "A third one ends.")
    monkeypatch.setattr(recogniser, "load_recogniser", lambda language: found)
    return found


def test_words_are_measured_kept_and_flagged(saved: str, ears: Ears) -> None:
    measured, lacking = measure_run(saved, ["wer"])
    assert not lacking and len(ears.asked) == 3
    assert [row["wer_percent"] for row in measured.chunks] == [0.0, pytest.approx(40.0), 0.0]
    assert measured.run["wer_percent"] == pytest.approx(100 * 2 / 14)  # of all words, not the mean of the chunks
    assert list(flagged(measured)) == [1] and measured.recogniser == "whisper-base"
    assert "words" in flagged(measured)[1] and measured.heard[1] == "The second it it."
    assert read_measured(store.run_folder(saved)) == measured


def test_what_was_measured_before_stays(saved: str, ears: Ears) -> None:
    measure_run(saved, ["wer"])
    measured, _ = measure_run(saved, ["level_dbfs", "pace"])
    assert {"wer_percent", "level_dbfs", "pace"} <= set(measured.run) & set(measured.chunks[2])
    assert list(flagged(measured)) == [1] and measured.recogniser == "whisper-base"


def test_they_are_columns_of_the_index(saved: str, ears: Ears) -> None:
    assert index.ask("SELECT wer_percent FROM runs")[1] == [(None,)]
    measured, _ = measure_run(saved, ["wer", "level_dbfs"])
    columns, rows = index.ask("SELECT wer_percent, level_dbfs FROM runs")
    assert rows == [(pytest.approx(measured.run["wer_percent"]), pytest.approx(measured.run["level_dbfs"]))], columns
    assert index.ask("SELECT chunk FROM chunks WHERE wer_percent > 30")[1] == [(2,)]
    (summary,) = store.list_runs()
    assert summary.measured["wer_percent"] == measured.run["wer_percent"]


def test_what_is_cheap_is_measured_of_the_joined_wave(saved: str) -> None:
    measured, _ = measure_run(saved, ["join_click_db", "peak_dbfs"])
    whole = measures.Sound.of_run(store.load_run(saved))
    assert measured.run["peak_dbfs"] == pytest.approx(measures.get("peak_dbfs").value(whole))
    assert measured.run["join_click_db"] is not None and measured.chunks[0]["join_click_db"] is None


def test_without_a_recogniser_the_rest_is_measured_and_what_is_missing_is_said(
    saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda n: None if n in ("speechmos", "resemblyzer") else known(n))
    measured, lacking = measure_run(saved)
    assert "level_dbfs" in measured.run and "wer_percent" not in measured.run and not measured.steps
    assert any("WER" in line for line in lacking) and any("speechmos" in line for line in lacking)
    if all(m.name != "wer_percent" or not m.lacking for m in measures.every(cost=measures.SECONDS)):
        with pytest.raises(RecogniserError, match="cache fetch whisper-base"):
            measure_run(saved, ["wer"])


def test_unknown_and_missing_ones_are_refused_in_one_line(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"(?s)'beauty'.*wer.*dnsmos"):
        measure_run(saved, ["beauty"])
    monkeypatch.setattr("workbench.engine.measures.registry.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install speechmos"):
        named(["dnsmos"])
    with pytest.raises(RunError):
        measure_run("20200101-000000-abcdef")


def test_a_cancelled_one_writes_nothing(saved: str) -> None:
    def stop(index: int, n_chunks: int, text: str) -> None:
        if index == 1:
            raise Cancelled()

    with pytest.raises(Cancelled):
        measure_run(saved, ["level_dbfs"], on_chunk=stop)
    assert not (store.run_folder(saved) / NAME).exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2}', b"\xff" * 100, b'{"format":1,"run":{"wer_percent":"a"},"chunks":[]}'],
)
def test_a_damaged_file_is_none_and_disturbs_no_list(saved: str, content: bytes) -> None:
    folder = store.run_folder(saved)
    (folder / NAME).write_bytes(content)
    assert read_measured(folder) is None
    assert [run.id for run in store.list_runs()] == [saved] and store.list_runs()[0].measured == {}
    measured, _ = measure_run(saved, ["level_dbfs"])
    assert read_measured(folder) == measured


def test_a_foreign_file_cannot_write_other_columns(saved: str) -> None:
    folder = store.run_folder(saved)
    write_measured(folder, Measured({"seconds": 99.0, "rtf": 5.0}, ({"chunk": 7.0, "seed": 1.0},) * 5))
    assert index.ask("SELECT chunk FROM chunks ORDER BY chunk")[1] == [(1,), (2,), (3,)]
    assert store.list_runs()[0].rtf != 5.0


def test_flags_name_each_kind_once() -> None:
    rows = ((Step("same", "a", "a"),), (Step("missing", "b", ""), Step("repeated", "", "c"), Step("missing", "d", "")))
    assert flagged(Measured({}, ({}, {}), rows)) == {1: "words missing, words repeated"}


def test_the_command_measures_and_says_what(saved: str, ears: Ears, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.cli import main

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    code, out, _ = call("runs", "measure", saved, "--measures", "wer,level_dbfs", "--json")
    found = json.loads(out)
    assert code == 0 and found["id"] == saved and found["chunks"][1]["wer_percent"] == pytest.approx(40.0)
    assert {"kind", "wanted", "heard"} == set(found["steps"][1][0])
    code, out, _ = call("runs", "measure", saved, "--measures", "wer")
    assert code == 0 and "1 of 3 chunks" in out and "chunk 2:" in out and "[" in out
    code, out, err = call("runs", "measure", saved, "--measures", "beauty")
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert Path(store.run_folder(saved) / NAME).is_file()
