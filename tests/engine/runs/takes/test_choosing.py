"""Takes of a saved run: every reader agrees on the chosen ones; nothing is lost; each choice can be undone."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.runs.takes.conftest import TEXT
from workbench.engine.errors import OutputError, RunError
from workbench.engine.runs import exports, index, store
from workbench.engine.runs.takes import choosing, joined
from workbench.engine.runs.takes.ledger import STEPS_MAX, TAKES_MAX
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.joining import cross_fade
from workbench.engine.speech.results import ChunkResult, Run

Maker = Callable[..., ChunkResult]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assembled(run: Run) -> np.ndarray:
    """The chunks of ``run`` joined anew."""
    rate = run.sample_rate
    pauses = [run.chunks[0].chunk.lead_seconds, *(c.chunk.pause_seconds for c in run.chunks)]
    return cross_fade([c.wave for c in run.chunks], run.fade_samples, [round(s * rate) for s in pauses])[0]


def test_a_take_that_is_not_chosen_changes_no_sound(saved: str, other: Maker, made: Run) -> None:
    before = files_of(store.run_folder(saved))
    take = choosing.add(saved, other(2, 70), words=None, measured={"wer_percent": 3.0})
    assert (take.number, take.seed, take.is_chosen, take.parent) == (2, 70, False, 1)
    run, after = store.load_run(saved), files_of(store.run_folder(saved))
    assert np.array_equal(run.wave, made.wave) and run.takes == () and run.version == saved
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"takes.json", "takes/00002-002.npz"}


def test_every_reader_agrees_on_the_chosen_takes(saved: str, other: Maker, made: Run) -> None:
    new = other(2, 71)
    choosing.add(saved, new)
    choosing.choose(saved, {2: 2})
    run = store.load_run(saved)
    assert run.takes == (1, 1, 2, 1) and run.version == f"{saved}@2.2"
    assert np.array_equal(run.chunks[2].wave, new.wave) and np.array_equal(run.chunks[2].mel, new.mel)
    for k in (0, 1, 3):
        assert np.array_equal(run.chunks[k].wave, made.chunks[k].wave)
    assert np.array_equal(run.wave, assembled(run))
    folder = store.run_folder(saved)
    assert (folder / "audio.wav").read_bytes() == to_bytes(run.wave, run.sample_rate) == exports.get("wav").make(run)
    assert choosing.audio_file(saved) == folder / "audio.wav"
    assert np.array_equal(store.load_wave(saved, 2)[0], new.wave)
    summary = store.summarise(saved)
    assert summary.seconds == pytest.approx(run.audio_seconds) and summary.envelope != () and summary.retaken == 1
    (row,) = [row for row in index.chunk_rows([saved])[saved] if row["chunk"] == 3]
    assert row["seed"] == 71 and row["audio_seconds"] == new.audio_seconds
    grid = exports.get("textgrid").make(run)
    assert f"{run.audio_seconds:.3f}"[:4] in (grid if isinstance(grid, str) else grid.decode())
    document = store.read_document(saved)
    assert document["audio_seconds"] == run.audio_seconds and document["chunks"][2]["seed"] == 71
    assert max(summary.envelope) == pytest.approx(float(np.abs(run.wave).max()), abs=1e-3)


def test_the_times_after_a_choice_are_those_of_all_chunks(saved: str, other: Maker, made: Run) -> None:
    slow = other(1, 5)
    slow = dataclasses.replace(slow, timing=dataclasses.replace(slow.timing, total_seconds=9.0))
    choosing.add(saved, slow)
    choosing.choose(saved, {1: 2})
    run = store.load_run(saved)
    spent = sum(c.timing.total_seconds for c in run.chunks)
    assert run.total_seconds == pytest.approx(spent) and spent > 9.0
    assert run.rtf == pytest.approx(spent / run.audio_seconds) and run.utilisation == ()
    assert run.time_to_first_audio_seconds == made.chunks[0].timing.total_seconds
    assert store.summarise(saved).rtf == pytest.approx(run.rtf)
    assert {s.chunk_index for s in run.spans if s.start_seconds >= 0} == {0, 1, 2, 3}
    assert [s for s in run.spans if s.start_seconds < 0] == [s for s in made.spans if s.start_seconds < 0]


def test_undo_and_redo_go_through_the_choices_and_the_first_state_comes_back_to_the_bit(
    saved: str, other: Maker
) -> None:
    first = (store.run_folder(saved) / "audio.wav").read_bytes()
    for seed in (7, 8):
        choosing.add(saved, other(2, seed))
    choosing.add(saved, other(0, 9))
    choosing.choose(saved, {2: 2})
    choosing.choose(saved, {2: 3, 0: 2})
    assert store.load_run(saved).takes == (2, 1, 3, 1)
    choosing.undo(saved)
    assert store.load_run(saved).takes == (1, 1, 2, 1)
    takes = choosing.undo(saved)
    assert store.load_run(saved).takes == () and (takes.can_undo, takes.can_redo) == (False, True)
    assert (store.run_folder(saved) / "audio.wav").read_bytes() == first
    with pytest.raises(RunError, match="no choice to undo"):
        choosing.undo(saved)
    choosing.redo(saved)
    choosing.redo(saved)
    assert store.load_run(saved).takes == (2, 1, 3, 1)
    with pytest.raises(RunError, match="no choice to redo"):
        choosing.redo(saved)
    choosing.undo(saved)
    choosing.choose(saved, {1: 1})  # it is chosen: no step
    assert choosing.takes_of(saved).can_redo
    choosing.choose(saved, {2: 1})
    assert not choosing.takes_of(saved).can_redo


def test_each_take_can_be_read_by_itself(saved: str, other: Maker, made: Run) -> None:
    new = other(3, 44)
    choosing.add(saved, new)
    for take, wanted in ((1, made.chunks[3]), (2, new)):
        found = choosing.read_take(saved, 3, take)
        assert np.array_equal(found.wave, wanted.wave) and np.array_equal(found.mel, wanted.mel)
        assert found.seed == wanted.seed
    for chunk, take, said in ((3, 3, "no take 3"), (4, 1, "no chunk 5"), (-1, 1, "no chunk 0"), (3, 0, "no take 0")):
        with pytest.raises(RunError, match=said):
            choosing.read_take(saved, chunk, take)
        with pytest.raises(RunError):
            choosing.choose(saved, {chunk: take})


def test_new_words_stand_in_the_text_at_their_place(saved: str, other: Maker, made: Run) -> None:
    new = other(1, 3)
    words = "Two ships, and a raft."
    plan = dataclasses.replace(new.chunk, text=words, n_bytes=len(words), written="")
    choosing.add(saved, dataclasses.replace(new, chunk=plan), words=words)
    choosing.choose(saved, {1: 2})
    run = store.load_run(saved)
    assert run.text == TEXT.replace("Two boats are there.", words) == run.request.text
    for result in run.chunks:
        assert run.text[result.chunk.start : result.chunk.end] == result.chunk.text
    assert store.summarise(saved).text == run.text
    choosing.undo(saved)
    assert store.load_run(saved).text == TEXT


def test_where_the_places_of_words_are_unknown_the_text_is_that_of_the_chunks(saved: str, other: Maker) -> None:
    path = store.run_folder(saved) / "run.json"
    document = json.loads(path.read_text())
    for plan in document["plans"]:
        del plan["start"], plan["end"]
    path.write_text(json.dumps(document))
    new = other(1, 3)
    plan = dataclasses.replace(new.chunk, text="Ships.", n_bytes=6, written="")
    choosing.add(saved, dataclasses.replace(new, chunk=plan), words="Ships.")
    choosing.choose(saved, {1: 2})
    assert "here. Ships. [pause 0.3s] Three" in store.load_run(saved).text


def test_a_take_from_another_machine_is_told(saved: str, other: Maker, made: Run) -> None:
    choosing.add(saved, other(1, 3), differs={"threads": "64", "device of takes": "cuda"})
    assert store.load_run(saved).environment == made.environment
    choosing.choose(saved, {1: 2})
    found = store.load_run(saved).environment
    assert found["threads"] == f"{made.environment['threads']} + 64" and found["device of takes"] == "cuda"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b'{"format":1,"takes":{"9":[]}}'])
def test_a_damaged_ledger_is_an_error_and_not_another_run(saved: str, other: Maker, content: bytes) -> None:
    choosing.add(saved, other(1, 3))
    path = store.run_folder(saved) / "takes.json"
    whole = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"takes\.json"):
        store.load_run(saved)
    with pytest.raises(RunError, match=r"takes\.json"):
        choosing.choose(saved, {1: 2})
    assert [run_id for run_id, _ in store.broken_runs()] == [saved]
    path.write_bytes(whole)
    assert choosing.choose(saved, {1: 2}).ledger.chosen == {1: 2}


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": {"1": 3}}, {"chosen": {"7": 1}}, {"past": [[[1, 1, 9]]]}, {"future": [[]]}, {"past": [[[1, 2]]]},
        {"takes": {"1": []}}, {"takes": {"-1": []}}, {"chosen": {"1": "2"}}, {"chosen": None}, {"format": True},
    ],
)  # fmt: skip
def test_a_ledger_that_does_not_fit_the_run_is_refused(saved: str, other: Maker, change: dict[str, Any]) -> None:
    choosing.add(saved, other(1, 3))
    path = store.run_folder(saved) / "takes.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=r"takes\.json"):
        store.read_document(saved)


def test_a_damaged_take_can_be_left_for_another(saved: str, other: Maker, made: Run) -> None:
    choosing.add(saved, other(1, 3))
    choosing.choose(saved, {1: 2})
    file = store.run_folder(saved) / "takes" / "00001-002.npz"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(RunError, match=r"Take 2 of chunk 2 .*runs choose"):
        store.load_run(saved)
    choosing.choose(saved, {1: 1})
    assert np.array_equal(store.load_run(saved).wave, made.wave)


def test_a_pipe_is_not_waited_for(saved: str, other: Maker) -> None:
    choosing.add(saved, other(1, 3))
    path = store.run_folder(saved) / "takes.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match=r"takes\.json"):
        store.load_run(saved)


def test_there_are_bounds_and_they_are_said(saved: str, other: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.runs.takes.ledger.TAKES_MAX", 3)
    choosing.add(saved, other(1, 3))
    choosing.add(saved, other(1, 4))
    with pytest.raises(RunError, match="has 3 takes"):
        choosing.add(saved, other(1, 5))
    monkeypatch.setattr("workbench.engine.runs.takes.ledger.STEPS_MAX", 4)
    for take in (1, 2) * 4:
        choosing.choose(saved, {1: take}, join=False)
    assert len(choosing.takes_of(saved).ledger.past) == 4
    assert TAKES_MAX == 99 and STEPS_MAX == 1_000


def test_samples_that_are_no_numbers_are_no_take(saved: str, other: Maker) -> None:
    new = other(1, 3)
    new.wave[5] = np.nan
    with pytest.raises(OutputError, match="not numbers"):
        choosing.add(saved, new)
    assert choosing.takes_of(saved).count(1) == 1


def test_a_disk_without_room_loses_nothing(saved: str, other: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    choosing.add(saved, other(1, 3))
    choosing.choose(saved, {1: 2})
    before = files_of(store.run_folder(saved))

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.engine.runs.takes.ledger.write_whole", full)
    with pytest.raises(OutputError, match="No space left"):
        choosing.choose(saved, {1: 1})
    assert files_of(store.run_folder(saved)) == before


def test_a_sound_that_is_of_other_takes_is_joined_again_when_asked_for(saved: str, other: Maker) -> None:
    choosing.add(saved, other(1, 3))
    choosing.choose(saved, {1: 2}, join=False)
    path = store.run_folder(saved) / "audio.wav"
    stale = path.read_bytes()
    assert choosing.audio_file(saved) == path and path.read_bytes() != stale
    assert path.read_bytes() == to_bytes(store.load_run(saved).wave, 24_000)
    path.write_bytes(stale)  # as if the program had been killed before the new one took its place
    choosing.audio_file(saved)
    assert path.read_bytes() == to_bytes(store.load_run(saved).wave, 24_000)
    stamp = path.stat().st_mtime_ns
    choosing.audio_file(saved)
    assert path.stat().st_mtime_ns == stamp and joined.is_joined(path.parent, choosing.takes_of(saved).ledger)


def test_a_deleted_run_has_no_takes(saved: str, other: Maker) -> None:
    choosing.add(saved, other(1, 3))
    store.delete_run(saved)
    with pytest.raises(RunError, match="no run"):
        choosing.add(saved, other(1, 4))
    assert not (store.runs_root() / saved).exists()
