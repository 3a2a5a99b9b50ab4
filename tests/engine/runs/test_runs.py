"""Runs on disk: reading returns what was saved, and no path outside runs/ can be reached."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import OutputError, RunError
from workbench.engine.ids import new_id
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.timing import Sample

TEXT = "The first sentence is here. The second one follows it. A third ends the text."


@pytest.fixture(scope="module")
def run(tiny_engine: Any, voice: Any) -> Any:
    made = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=40, keep_trajectory=True))
    return dataclasses.replace(made, utilisation=(Sample(0.1, 50.0, 40.0, 10**9),))


def test_a_saved_run_comes_back_to_the_last_bit(run: Any) -> None:
    folder = store.save_run(run)
    back = store.load_run(run.id)
    assert folder == store.runs_root() / run.id
    assert np.array_equal(back.wave, run.wave) and np.array_equal(back.mel, run.mel)
    assert back.starts == run.starts
    assert back.as_dict() == run.as_dict()
    assert back.spans == run.spans and back.utilisation == run.utilisation
    assert [c.chunk for c in back.chunks] == [c.chunk for c in run.chunks]
    assert np.array_equal(back.chunks[1].trajectory.states, run.chunks[1].trajectory.states)
    assert store.load_run(run.id, trajectories=False).chunks[1].trajectory is None


def test_the_list_tells_what_a_person_wants_to_know(run: Any) -> None:
    store.save_run(dataclasses.replace(run, request=run.request.replace(sweep="sizes")))
    (found,) = store.list_runs()
    assert (found.id, found.n_chunks, found.text) == (run.id, len(run.chunks), TEXT)
    assert found.seconds == pytest.approx(run.audio_seconds) and found.rtf == pytest.approx(run.rtf)
    assert found.settings["nfe_step"] == 2 and found.has_trajectory and found.sweep == "sizes"
    assert found.n_bytes == sum(f.stat().st_size for f in (store.runs_root() / run.id).iterdir())
    assert max(found.envelope) == pytest.approx(float(np.abs(run.wave).max()), abs=1e-3)


def test_runs_of_one_second_are_listed_the_newest_first(run: Any) -> None:
    ids = []
    for _ in range(8):
        ids.append(new_id())
        store.save_run(dataclasses.replace(run, id=ids[-1]))
    assert [found.id for found in store.list_runs()] == ids[::-1]


def test_notes_and_stars_last_and_leave_the_run_alone(run: Any) -> None:
    folder = store.save_run(run)
    before = (folder / "run.json").read_bytes()
    store.annotate(run.id, note="best <b>so far</b>")
    assert store.annotate(run.id, star=True).note == "best <b>so far</b>"
    assert store.list_runs()[0].star
    assert (folder / "run.json").read_bytes() == before
    with pytest.raises(RunError, match="Keep it under"):
        store.annotate(run.id, note="x" * 5000)


def test_a_deleted_run_is_gone(run: Any) -> None:
    folder = store.save_run(run)
    assert store.delete_run(run.id) > 1000
    assert not folder.exists() and store.list_runs() == []
    with pytest.raises(RunError, match="There is no run"):
        store.load_run(run.id)


@pytest.mark.parametrize(
    "hostile",
    ["../../etc", "..", "", "/etc/passwd", "20260101-000000-abcdef/..", "20260101-000000-abcdef\n", "a\x00b", None],
)
def test_an_id_cannot_leave_the_folder(hostile: Any, _own_home: Path) -> None:
    (_own_home / "run.json").write_text("{}")
    for act in (store.load_run, store.delete_run, store.annotate, store.read_document):
        with pytest.raises(RunError, match="is not the id of a run"):
            act(hostile)


def test_damaged_runs_are_reported_and_do_not_hide_the_others(run: Any) -> None:
    folder = store.save_run(run)
    for i, content in enumerate(("", "{", "[]", json.dumps({"format_version": 99}), json.dumps({"format_version": 1}))):
        broken = folder.with_name(f"2020010{i}-000000-abcdef")
        broken.mkdir()
        (broken / "run.json").write_text(content)
    assert [r.id for r in store.list_runs()] == [run.id]
    found = store.broken_runs()
    assert len(found) == 5 and all("cannot be read" in reason for _, reason in found)
    for name, _ in found:
        with pytest.raises(RunError, match="cannot be read"):
            store.load_run(name)
        store.delete_run(name)
    assert store.broken_runs() == []


def test_arrays_cut_short_are_an_error_in_one_line(run: Any) -> None:
    arrays = store.save_run(run) / "chunks.npz"
    arrays.write_bytes(arrays.read_bytes()[:5000])
    with pytest.raises(RunError, match="cannot be read") as caught:
        store.load_run(run.id)
    assert "\n" not in str(caught.value)


def test_nothing_half_written_is_left_behind(run: Any) -> None:
    wave = np.full_like(run.chunks[0].wave, np.nan)
    spoilt = dataclasses.replace(run, chunks=(dataclasses.replace(run.chunks[0], wave=wave),))
    with pytest.raises(OutputError, match="not numbers"):
        store.save_run(spoilt)
    assert list(store.runs_root().iterdir()) == []


def test_saving_twice_is_refused_and_keeps_the_first(run: Any) -> None:
    store.save_run(run)
    with pytest.raises(OutputError):
        store.save_run(run)
    assert np.array_equal(store.load_run(run.id).wave, run.wave)
