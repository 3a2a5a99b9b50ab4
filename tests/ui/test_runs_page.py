"""Runs: find, open, annotate, compare, delete; and damaged folders."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit

from tests import damage, many_runs
from tests.ui.helpers import buttons_of, html_of, told_to_dock
from workbench.engine import measures
from workbench.engine.ids import new_id
from workbench.engine.runs import index, store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice
from workbench.engine.timing import REUSED
from workbench.ui.compare import bundle

WHOLE = ("audio", "total", "first audio")  # columns in seconds that are no stages
EVIL = "<img src=x onerror=alert(1)> **bold** $x$ [a](http://evil.test) and so on."


def make_run(engine: Any, text: str = "One two three. Four five six.", shown: str = "", **changes: Any) -> Any:
    chosen = SynthesisSettings(nfe_step=4, max_chunk_bytes=20).replace(**changes)
    run = engine.run(text, load_voice(list_voices()[0].name), chosen)
    run = dataclasses.replace(run, request=run.request.replace(text=shown or text))
    store.save_run(run)
    return run


def tick(at: Any, *ids: str) -> Any:
    """Tick the rows of these runs, as a click in the table does."""
    found = [r.id for r in store.list_runs()]
    key = f"runs_{len(found)}_{found[0]}_{found[-1]}"
    rows = [found.index(i) for i in ids]
    at.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    at.run()
    assert not at.exception
    return at


def headings(at: Any) -> list[str]:
    return [h.value for h in at.header]


def test_an_empty_list_says_what_to_do(open_page: Any) -> None:
    at = open_page("runs")
    assert "Synthesize" in html_of(at) and not at.dataframe


def test_every_run_is_listed_with_its_shape_and_numbers(open_page: Any, tiny_engine: Any) -> None:
    a, b = make_run(tiny_engine), make_run(tiny_engine, shown=EVIL)
    table = open_page("runs").dataframe[0].value
    assert list(table["id"]) == sorted([a.id, b.id], reverse=True)
    row = table.set_index("id").loc[a.id]
    assert row["audio (s)"] == pytest.approx(a.audio_seconds) and row["chunks"] == 2 and row["NFE"] == 4
    known = measures.known(measures.RUN, [store.summarise(a.id).times])
    assert {m.name for m in known} >= {"rtf", "first_audio_seconds"}
    for one in known:
        assert row[one.title] == pytest.approx(one.value(measures.Times.of_run(a.as_dict())))
    assert len(row["shape"]) > 20 and max(row["shape"]) == pytest.approx(np.abs(a.wave).max(), abs=1e-3)


def test_a_remade_run_is_marked_and_has_the_time_of_all_its_chunks(open_page: Any, tiny_engine: Any) -> None:
    base = make_run(tiny_engine)
    made = tiny_engine.remake(base, load_voice(list_voices()[0].name), 1, seed=77)
    store.save_run(made)
    table = open_page("runs").dataframe[0].value.set_index("id")
    assert list(table.loc[[base.id, made.id], "remade"]) == ["", "chunk 2"]
    assert table.loc[made.id, "total (s)"] >= sum(c.timing.total_seconds for c in made.chunks)
    assert any("times are those of all chunks" in c.value for c in open_page("runs", run=made.id).caption)


def test_a_run_of_reused_chunks_says_why_it_has_no_rtf(open_page: Any, tiny_engine: Any) -> None:
    made = make_run(tiny_engine)
    assert "reused" not in open_page("runs").dataframe[0].value
    reused = [dataclasses.replace(c, timing=dataclasses.replace(c.timing, made=REUSED)) for c in made.chunks]
    again = dataclasses.replace(made, id=new_id(), chunks=tuple(reused))
    store.save_run(again)
    at = open_page("runs", run=again.id)
    table = at.dataframe[0].value.set_index("id")
    assert list(table.loc[[made.id, again.id], "reused"]) == ["", "all"]
    assert np.isnan(table.loc[again.id, "RTF"]) and at.dataframe[0].proto.placeholder == "–"
    assert "so there is no RTF" in html_of(at)


@pytest.mark.parametrize(
    ("query", "found"),
    [("six", 1), ("SEVEN eight", 1), ("nfe_step=4", 2), ("seed=5", 1), ("nobody", 0), ("<script>", 0), ("  ", 2)],
)
def test_search(open_page: Any, tiny_engine: Any, query: str, found: int) -> None:
    make_run(tiny_engine)
    make_run(tiny_engine, "Seven, eight, nine.", seed=5)
    at = open_page("runs")
    at.text_input(key="find").set_value(query).run()
    assert not at.exception and at.caption[0].value.startswith(f"{found} of 2 runs")


def test_a_note_and_a_star_are_kept_on_disk(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, shown=EVIL)
    at = open_page("runs", run=run.id)
    assert headings(at) == [f"Run {run.id}"] and [one["key"] for one in buttons_of(at)] == [f"run:{run.id}"]
    assert EVIL.strip() in [t.value for t in at.text]  # as text: never as markup
    at.text_area(key=f"note_{run.id}").set_value("a click at 0.3 s").run()
    at.toggle(key=f"star_{run.id}").set_value(True).run()
    summary = store.summarise(run.id)
    assert summary.note == "a click at 0.3 s" and summary.star
    at.toggle(key="starred").set_value(True).run()
    assert at.caption[0].value.startswith("1 of 1")


def test_stages_are_drawn_only_when_they_are_opened(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    at = open_page("runs", run=run.id)
    assert not at.get("plotly_chart")
    at.session_state[f"stages_{run.id}"] = True
    at.run()
    (chart,) = at.get("plotly_chart")
    names = {t["name"] for t in json.loads(chart.proto.spec)["data"]}
    assert {"ODE", "vocoder"} <= names


def test_comparing_tells_what_differs_and_how_far_the_mels_are_apart(open_page: Any, tiny_engine: Any) -> None:
    a, b = make_run(tiny_engine), make_run(tiny_engine, seed=3)
    at = tick(open_page("runs"), a.id, b.id)
    assert headings(at) == ["What differs", "Words and chunks", "Side by side, at true loudness", "Where the time went",
                            "Mels and pitch"]  # fmt: skip
    differs = at.dataframe[1].value
    assert list(differs["setting"]) == ["seed"] and set(differs.iloc[0][["A", "B"]]) == {"0", "3"}
    sounds = buttons_of(at)
    assert [sound["slot"] for sound in sounds] == ["A", "B"]
    assert {sound["key"] for sound in sounds} == {f"run:{a.id}", f"run:{b.id}"}
    assert sounds[0]["title"].startswith("A · seed ") and sounds[1]["title"].startswith("B · seed ")
    shown = " ".join(m.value for m in at.markdown)
    assert "frame by frame" in shown and "Mel-cepstral distortion" in shown
    heard = " ".join(c.value for c in at.caption)
    assert all(f"{m.label} " in heard for m in measures.every(measures.SOUND) if not m.needs)
    chunks = at.dataframe[2].value
    assert list(chunks["chunk"]) == [1, 2]
    first = next(k for k in "AB" if chunks[f"seed {k}"][0] == 3)
    assert list(chunks[f"seed {first}"]) == [3, 4] and "heard A" not in chunks
    assert set(at.query_params["runs"].split(",")) == {a.id, b.id}
    times = at.dataframe[3].value
    absent = {"reference mel (s)", "reuse (s)", "keep (s)"}  # of a voice that was used before; of no chunk kept
    assert {m.title for m in measures.every(measures.RUN)} - set(times.columns) <= absent
    stages = times[[c for c in times.columns if c.endswith(" (s)") and c.split(" (")[0] not in WHOLE]]
    assert "other (s)" in stages.columns
    assert stages.sum(axis=1).to_numpy() == pytest.approx(times["total (s)"].to_numpy(), abs=0.02)
    mels = json.loads(at.get("plotly_chart")[1].proto.spec)
    assert mels["layout"]["meta"]["sound"]["key"] == sounds[0]["key"]
    assert [a["text"] for a in mels["layout"]["annotations"]] == [
        "F0: A orange, B blue", "A: mel", "B: mel", "B minus A",
    ]  # fmt: skip


def test_mels_of_different_length_are_aligned(open_page: Any, tiny_engine: Any) -> None:
    a, b, c = make_run(tiny_engine), make_run(tiny_engine, speed=0.6), make_run(tiny_engine, "Another text.")
    at = tick(open_page("runs"), a.id, b.id)
    assert "time-aligned" in " ".join(m.value for m in at.markdown)
    at = tick(at, a.id, b.id, c.id)
    assert [one["slot"] for one in buttons_of(at)] == ["A", "B", "B"] and not at.exception
    first = at.selectbox(key="mel_from").value
    assert first not in [o for o in at.selectbox(key="mel_to").options if o == first]


def test_deleting_asks_first_and_names_the_words(open_page: Any, tiny_engine: Any) -> None:
    run, _ = make_run(tiny_engine), make_run(tiny_engine)
    at = tick(open_page("runs"), run.id)
    at.button(key="delete").click().run()
    assert any(t.value.startswith(run.id) and t.value.endswith("Four five six.") for t in at.text)
    assert at.button(key="delete_now").label == "Delete" and at.button(key="delete_not").label == "Cancel"
    assert len(store.list_runs()) == 2  # shown, not done; the second click is in the browser's tests


def test_a_deletion_can_be_undone_or_made_final(open_page: Any, tiny_engine: Any) -> None:
    kept, gone = make_run(tiny_engine), make_run(tiny_engine)
    at = open_page("runs")
    at.session_state["runs_aside"] = [store.set_aside(kept.id), store.set_aside(gone.id)]
    at.run()
    assert store.list_runs() == [] and any(m.value.startswith("Deleted 2 runs.") for m in at.markdown)
    at.button(key="delete_undo").click().run()
    assert {run.id for run in store.list_runs()} == {kept.id, gone.id} and not at.exception
    at.session_state["runs_aside"] = [store.set_aside(gone.id)]
    at.run()
    at.button(key="delete_free").click().run()
    assert [run.id for run in store.list_runs()] == [kept.id] and "this freed" in at.success[0].value
    assert [path.name for path in store.runs_root().iterdir() if gone.id in path.name] == []


def test_many_runs_are_deleted_only_after_a_tick(open_page: Any, tiny_engine: Any) -> None:
    many_runs.write_runs(store.runs_root(), 7)
    at = tick(open_page("runs"), *[run.id for run in store.list_runs()][:6])
    at.button(key="delete").click().run()
    assert at.button(key="delete_now").disabled and "all 6" in at.checkbox(key="delete_all").label


def test_a_row_is_played_by_its_button(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    run = make_run(tiny_engine)
    at = open_page("runs")
    at.session_state["runs_play"] = {"row": 0, "label": "x"}
    at.run()
    (order,) = told_to_dock(at, "play")
    assert order["play"]["key"] == f"run:{run.id}" and order["slot"] == "A"
    assert order["play"]["starts"] == [round(start / run.sample_rate, 6) for start in run.starts]


def test_search_and_stars_are_in_the_address(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    starred = make_run(tiny_engine, "Seven, eight, nine.")
    store.annotate(starred.id, star=True)
    at = open_page("runs", find="seven", starred="true")
    assert list(at.dataframe[0].value["id"]) == [starred.id]
    at.text_input(key="find").set_value("nobody").run()
    assert not at.dataframe and "No starred run" in at.caption[0].value


def test_several_runs_are_one_zip(tiny_engine: Any) -> None:
    made = [make_run(tiny_engine) for _ in range(2)]
    names = zipfile.ZipFile(io.BytesIO(bundle.zip_of([run.id for run in made]))).namelist()
    for run in made:
        assert {f"{run.id}/{name}" for name in ("run.json", "README.txt", "chunks/001.wav", "mel.npy")} <= set(names)


def test_a_damaged_run_is_told_apart_and_can_be_deleted(open_page: Any, tiny_engine: Any) -> None:
    broken, good = make_run(tiny_engine), make_run(tiny_engine)
    (store.run_folder(broken.id) / "run.json").write_text("{", "utf-8")
    at = open_page("runs")
    assert list(at.dataframe[0].value["id"]) == [good.id]
    assert any(broken.id in t.value for t in at.text)
    (store.run_folder(good.id) / "chunks.npz").write_bytes(b"PK")
    at = tick(open_page("runs"), good.id)
    assert "cannot be read" in at.error[0].value


@pytest.mark.parametrize("run", ["../../x", "<b>", "20261123-000000-abcdef", "%00"])
def test_an_address_made_up_opens_the_list(open_page: Any, tiny_engine: Any, run: str) -> None:
    make_run(tiny_engine)
    at = open_page("runs", run=run)
    assert not at.exception and not at.header and len(at.dataframe) == 1


DAMAGES = {
    "a request that is none": ("run.json", "request", '"x"'),
    "no date": ("run.json", "created_at", "null"),
    "nested": ("run.json", "environment", "[" * 5_000 + "]" * 5_000),
    "a newer format": ("run.json", "format_version", "7"),
    "no number": ("run.json", "total_seconds", "NaN"),
    "notes that are no notes": ("notes.json", "note", "[" * 5_000 + "]" * 5_000),
    "a long note": ("notes.json", "note", '"' + "x" * 9_000 + '"'),
}


@pytest.mark.parametrize("view", ["runs", "spectrograms", "flow", "chunk_size", "synthesize"])
def test_no_page_falls_over_damaged_runs(open_page: Any, tiny_engine: Any, view: str) -> None:
    good = make_run(tiny_engine, keep_trajectory=True)
    whole = store.runs_root() / good.id
    store.annotate(good.id, note="heard")
    for k, (file, field, text) in enumerate(DAMAGES.values()):
        content = damage.replaced(json.loads((whole / file).read_text()), (field,), text)
        damage.spoilt(
            whole, whole.with_name(f"20270101-000000-{k:06x}"),
            damage.Damage("one", lambda run, file=file, content=content: (run / file).write_bytes(content) and None),
        )  # fmt: skip
    arrays = damage.spoilt(
        whole, whole.with_name("20270102-000000-abcdef"),
        damage.Damage("no arrays", lambda run: [(run / f"{name}.npz").write_bytes(b"PK") for name in FILES] and None),
    )  # fmt: skip
    assert len(store.broken_runs()) == 5 and len(store.list_runs()) == 4
    for wanted in ("20270101-000000-000000", "20270101-000000-000006", arrays.name, good.id):
        at = open_page(view, run=wanted)  # fails on any exception
    assert len(at.error) == 0  # the whole one is shown whole
    if view == "runs":
        assert good.id in set(at.dataframe[0].value["id"])
        assert "newer version (format 7" in " ".join(text.value for text in at.text)


FILES = ("chunks", "trajectories")


def test_a_damaged_run_of_a_list_is_deleted_alone(open_page: Any, tiny_engine: Any) -> None:
    first, second = make_run(tiny_engine), make_run(tiny_engine)
    for run in (first, second):
        (store.run_folder(run.id) / "run.json").write_text("{", "utf-8")
    at = open_page("runs")
    at.multiselect(key="broken_chosen").set_value([first.id]).run()
    at.button(key="delete_broken").click().run()
    assert first.id in [t.value for t in at.text] and not at.exception
    assert second.id not in [t.value for t in at.text]  # the second click is in the browser's tests


def test_of_a_linked_run_the_page_deletes_the_link_and_says_so(open_page: Any, tiny_engine: Any, tmp_path: Any) -> None:
    run = make_run(tiny_engine)
    target = (store.runs_root() / run.id).rename(tmp_path / "elsewhere")
    (store.runs_root() / run.id).symlink_to(target)
    at = tick(open_page("runs"), run.id)
    at.button(key="delete").click().run()
    assert "only the link is deleted" in " ".join(c.value for c in at.caption)
    assert at.button(key="delete_now").label == "Delete"


def test_of_many_runs_the_table_has_the_newest_and_the_one_that_the_address_names(
    open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_runs.write_runs(store.runs_root(), 503)
    at = open_page("runs", run=many_runs.run_id(0))
    ids = list(at.dataframe[0].value["id"])
    assert ids == [*(many_runs.run_id(502 - k) for k in range(500)), many_runs.run_id(0)]
    assert "503 of 503" in at.caption[0].value and "newest 500" in at.caption[0].value
    at.run()  # what was younger than a tick of the file system's clock is read twice
    monkeypatch.setattr(index, "read_rows", lambda folder: pytest.fail("read again"))
    at.text_input(key="find").set_value("seed=77").run()
    assert not at.exception and list(at.dataframe[0].value["id"]) == [many_runs.run_id(77)]


def test_the_address_of_a_comparison_opens_it_elsewhere(open_page: Any, tiny_engine: Any) -> None:
    a, b, c = (make_run(tiny_engine, text) for text in ("One two three four.", "One two five four.", "Nobody asks."))
    at = open_page("runs", a=b.id, b=a.id)
    assert "Words and chunks" in headings(at) and len(buttons_of(at)) == 2
    words = next(block for block in html_of(at).splitlines() if "wb-text" in block)
    assert "<del>five</del> <ins>three</ins>" in words  # A is the first run of the address, not the newest
    at = tick(at, a.id, b.id, c.id)
    assert at.query_params["runs"] == f"{b.id},{a.id},{c.id}"
    at = tick(at, c.id)
    assert at.query_params["runs"] == c.id and "a" not in at.query_params
    again = open_page("runs", runs=f"{c.id},{b.id}")
    assert [one["key"] for one in buttons_of(again)] == [f"run:{c.id}", f"run:{b.id}"]


def test_an_address_with_a_deleted_run_says_so(open_page: Any, tiny_engine: Any) -> None:
    kept = make_run(tiny_engine)
    at = open_page("runs", a=kept.id, b="20200101-000000-00000000")
    assert "20200101-000000-00000000" in at.error[0].value and headings(at) == [f"Run {kept.id}"] and not at.warning


def test_an_address_without_a_run_is_told_once(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    at = open_page("runs", run="20200101-000000-00000000")
    told = [box.value for box in (*at.warning, *at.error) if "20200101-000000" in box.value or "no longer" in box.value]
    assert len(told) == 1 and [button.label for button in at.button if button.key == "start_afresh"] == ["Start afresh"]


def test_a_query_that_cannot_be_read_is_one_line(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    at = open_page("runs")
    at.text_input(key="find").set_value("nfe_step<some").run()
    assert not at.exception and "nfe_step is a number" in at.error[0].value and not at.dataframe


def test_two_numbers_of_all_runs_are_drawn_against_each_other(open_page: Any, tiny_engine: Any) -> None:
    made = [make_run(tiny_engine), make_run(tiny_engine, nfe_step=2)]
    at = open_page("runs")
    assert not at.get("plotly_chart")
    at.session_state["runs_scatter"] = True
    at.run()
    at.selectbox(key="scatter_x").set_value("nfe_step")
    at.selectbox(key="scatter_y").set_value("seconds").run()
    assert not at.exception
    (trace,) = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    assert sorted(trace["customdata"]) == sorted(run.id for run in made)
    assert not at.text
    at.session_state["scatter_nfe_step_seconds_none_point"] = {"customdata": made[0].id}  # as a click leaves it
    made.append(make_run(tiny_engine, nfe_step=3))  # a new point is a new figure: what was clicked stays
    at.run()
    (heard,) = at.text
    assert "NFE 4" in heard.value
    at.selectbox(key="scatter_by").set_value("nfe_step").run()
    assert {t["name"] for t in json.loads(at.get("plotly_chart")[0].proto.spec)["data"]} == {"2", "3", "4"}


def test_each_of_the_runs_at_one_point_can_be_heard(
    open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["workbench.figures.scatter"], "_SMALL_FROM", 1)
    made = [make_run(tiny_engine, seed=seed) for seed in (1, 2)] + [make_run(tiny_engine, nfe_step=2)]
    at = open_page("runs")
    at.session_state["runs_scatter"] = True
    at.run()
    at.selectbox(key="scatter_x").set_value("nfe_step")
    at.selectbox(key="scatter_y").set_value("n_chunks").run()
    (trace,) = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    assert len(trace["customdata"]) == 2
    (first,) = {made[0].id, made[1].id} & set(trace["customdata"])
    at.session_state["scatter_nfe_step_n_chunks_none_point"] = {"customdata": first}  # as a click leaves it
    at.run()
    assert not at.exception and f"run:{first}" in [one["key"] for one in buttons_of(at)]
    (other,) = {made[0].id, made[1].id} - {first}
    at.selectbox(key=f"scatter_at_{first}").set_value(other).run()
    assert not at.exception and f"run:{other}" in [one["key"] for one in buttons_of(at)]


def test_the_part_that_draws_figures_is_loaded_ahead(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    (module,) = [message["module"] for message in told_to_dock(open_page("runs"), "module")]
    (found,) = (Path(streamlit.__file__).parent / "static").rglob(Path(module).name)
    assert module == "/static/js/" + found.name and found.stat().st_size > 1_000_000
