"""The table of chunks: takes are made, heard beside each other, chosen and undone in the row; nothing is lost."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.ui.helpers import html_of, until
from workbench.engine.errors import Cancelled
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.takes import choosing
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.voices import load_voice

TEXT = "One boat is here. Two boats are there. Three more came. Four went away."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@pytest.fixture
def saved(tiny_engine: Any, voice: Any) -> Any:
    run = tiny_engine.run(TEXT, voice, QUICK, save=False)
    store.save_run(run)
    assert len(run.chunks) == 4
    return run


def button(at: Any, key: str) -> Any:
    return at.button(key=key)


def made(at: Any, run_id: str, chunk: int, count: int) -> Any:
    """Press "Make take" and wait for the take."""
    button(at, f"takes_make_{chunk}").click().run()
    until(at, lambda _: choosing.takes_of(run_id).count(chunk) == count)
    return at.run()


def test_three_takes_are_made_chosen_undone_and_there_after_a_restart(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    assert [button(at, f"takes_open_{k}").label for k in range(4)] == ["Make again"] * 4
    button(at, "takes_open_2").click().run()
    seeds = []
    for count in (2, 3):
        (seed,) = [box for box in at.number_input if box.label == "Seed" and "takes_seed" in box.key]
        seeds.append(seed.value)
        made(at, saved.id, 2, count)
    assert seeds == [4, 5] and not set(seeds) & {c.seed for c in saved.chunks}  # new to the run, each time
    shown = html_of(at)
    for number in (1, 2, 3):
        assert f'data-dock-key="run:{saved.id}:2:take:{number}"' in shown
    assert button(at, "takes_open_2").label == "Close" and button(at, "takes_undo").disabled
    button(at, "takes_choose_2_2").click().run()
    run = store.load_run(saved.id)
    assert run.takes == (1, 1, 2, 1) and "take 2 of 3" in html_of(at) and not at.exception
    assert button(at, "takes_open_2").label == "Close"  # one is still at the row
    button(at, "takes_undo").click().run()
    assert store.load_run(saved.id).takes == () and "take 1 of 3" in html_of(at)
    for restart in (False, True):  # another tab, then another server
        if restart:
            st.cache_resource.clear()
            st.cache_data.clear()
        again = open_page(run=saved.id)
        assert button(again, "takes_open_2").label == "3 takes" and not button(again, "takes_redo").disabled
    button(again, "takes_open_2").click().run()
    button(again, "takes_choose_2_2").click().run()
    assert np.array_equal(store.load_run(saved.id).chunks[2].wave, choosing.read_take(saved.id, 2, 2).wave)


def test_another_process_finds_the_same_takes(saved: Any, tiny_engine: Any, voice: Any) -> None:
    pool = EnginePool()
    pool.remember(voice)
    for seed in (11, 12):
        choosing.add(saved.id, dataclasses.replace(saved.chunks[2], seed=seed))
    choosing.choose(saved.id, {2: 2})
    choosing.undo(saved.id)
    command = [sys.executable, "-m", "workbench", "runs"]

    def call(*words: str) -> Any:
        done = subprocess.run([*command, *words, "--json"], capture_output=True, text=True, env=os.environ, check=True)
        return json.loads(done.stdout)

    assert [take["take"] for take in call("takes", saved.id)["takes"]] == [1, 2, 3]
    assert call("choose", saved.id, "3", "2")["chosen"] == [1, 1, 2, 1]
    assert store.load_run(saved.id).takes == (1, 1, 2, 1)


def test_words_and_speed_are_kept_while_one_tries_seeds(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    button(at, "takes_open_1").click().run()
    (words,) = [area for area in at.text_area if area.label == "Words"]
    words.set_value("Two ships are there.").run()
    made(at, saved.id, 1, 2)
    made(at, saved.id, 1, 3)
    takes = choosing.takes_of(saved.id).of(1)
    assert [take.words for take in takes] == [None, "Two ships are there.", "Two ships are there."]
    button(at, "takes_choose_1_3").click().run()
    assert at.text_area(key="text").value == TEXT.replace("boats are", "ships are")  # the form follows its run
    button(at, "takes_undo").click().run()
    assert at.text_area(key="text").value == TEXT


def test_a_form_with_changes_is_left_alone(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    at.text_area(key="text").set_value("Something else.").run()
    choosing.add(saved.id, saved.chunks[1], words="Two ships.")
    at.run()
    button(at, "takes_open_1").click().run()
    button(at, "takes_choose_1_2").click().run()
    assert at.text_area(key="text").value == "Something else." and store.load_run(saved.id).takes == (1, 2, 1, 1)


def test_what_cannot_be_spoken_is_said_in_the_row(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    button(at, "takes_open_0").click().run()
    (words,) = [area for area in at.text_area if area.label == "Words"]
    words.set_value("   ").run()
    button(at, "takes_make_0").click().run()
    until(at, lambda page: bool(page.error))
    assert choosing.takes_of(saved.id).count(0) == 1 and not at.exception


def test_words_are_never_markup(open_page: Any, saved: Any) -> None:
    plan = dataclasses.replace(saved.chunks[1].chunk, text="<b>bold</b>")
    choosing.add(saved.id, dataclasses.replace(saved.chunks[1], chunk=plan))
    at = open_page(run=saved.id)
    button(at, "takes_open_1").click().run()
    assert "<b>bold" not in html_of(at) and "&lt;b&gt;bold" in html_of(at)


def test_failed_chunks_are_marked_and_made_again(open_page: Any, tiny_engine: Any, monkeypatch: Any) -> None:
    real, voice = tiny_engine._speak, load_voice("nature-en")

    def broken(chunk: Any, *args: Any) -> Any:
        if chunk.index in (1, 3):
            raise RuntimeError("no more <b>memory")
        return real(chunk, *args)

    whole = tiny_engine.run(TEXT, voice, QUICK, save=False)
    with monkeypatch.context() as patch:
        patch.setattr(tiny_engine, "_speak", broken)
        run = tiny_engine.fulfil(tiny_engine.request(TEXT, voice, QUICK), voice, skip_failed=True)
    store.save_run(run)
    at = open_page(run=run.id)
    assert any("Chunk 2, 4 could not be made" in w.value for w in at.warning) and "<b>memory" not in html_of(at)
    button(at, f"failed_{run.id}").click().run()
    until(at, lambda _: store.load_run(run.id).failed == [])
    at.run()
    assert np.array_equal(store.load_run(run.id).wave, whole.wave)
    assert not any("could not be made" in w.value for w in at.warning)


def test_an_unfinished_run_is_heard_and_goes_on(open_page: Any, tiny_engine: Any) -> None:
    voice, run_id = load_voice("nature-en"), "20260101-000000-abcdef"
    pool = EnginePool()
    pool.add(tiny_engine)
    pool.remember(voice)

    def stop(at: Any) -> None:
        if at.chunk_index == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        pool.speak(tiny_engine.request(TEXT, voice, QUICK), on_step=stop, run_id=run_id, keep_all=True)
    at = open_page(run=run_id)
    assert not at.error and "One boat is here." in html_of(at)
    assert "WAV" in [b.label for b in at.get("download_button")]
    with pytest.raises(KeyError):
        button(at, "takes_open_0")  # its takes come when it is finished
    button(at, f"go_on_{run_id}").click().run()
    until(at, lambda page: any(b.key == "takes_open_3" for b in page.button))
    assert unfinished.every() == []
    assert store.load_run(run_id).text == TEXT and at.session_state.run_id == run_id
    assert button(at, "takes_open_3").label == "Make again"


def test_a_job_that_was_cancelled_before_a_chunk_was_finished_is_no_error(open_page: Any, tiny_engine: Any) -> None:
    from workbench.engine.jobs.speech import SpeechJob
    from workbench.ui import resources

    manager, voice = resources.job_manager(), load_voice("nature-en")
    resources.remember_voice(voice)
    hold = threading.Event()
    manager.start("in the way", lambda job: hold.wait(60), "auto")
    job = manager.submit(SpeechJob(tiny_engine.request(TEXT, voice, QUICK)))
    job.cancel()
    hold.set()
    at = open_page(run=job.id)
    assert not at.error and not at.exception and "cancelled" in html_of(at) and unfinished.every() == []


def test_a_long_table_has_pages_and_filters(open_page: Any, tiny_engine: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("workbench.ui.takes.rows.ROWS", 4)
    text = " ".join(
        f"Sentence number {word} is here."
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    )
    run = tiny_engine.run(text, load_voice("nature-en"), QUICK.replace(nfe_step=1, max_chunk_bytes=40), save=False)
    store.save_run(run)
    n = len(run.chunks)
    assert n == 9
    choosing.add(run.id, run.chunks[7])
    at = open_page(run=run.id)
    rows = lambda: [k for k in range(n) if any(b.key == f"takes_open_{k}" for b in at.button)]  # noqa: E731
    assert rows() == [0, 1, 2, 3]
    at.number_input(key=f"takes_page_{run.id}").set_value(3).run()
    assert rows() == [8]
    at.number_input(key=f"takes_page_{run.id}").set_value(1).run()
    at.segmented_control(key=f"takes_filter_{run.id}").set_value("With takes").run()
    assert rows() == [7]


def test_a_take_is_served_and_audio_is_that_of_the_choice(saved: Any) -> None:
    from workbench.ui.routes import ROUTES

    other = dataclasses.replace(saved.chunks[1], seed=77, wave=saved.chunks[1].wave[::-1].copy())
    choosing.add(saved.id, other)
    client = TestClient(Starlette(routes=ROUTES))
    for take, wave in ((1, saved.chunks[1].wave), (2, other.wave)):
        found = client.get(f"/api/runs/{saved.id}/1/takes/{take}.wav")
        assert found.status_code == 200 and found.content == to_bytes(wave, 24_000)
    for path in ("1/takes/3", "9/takes/1", "1/takes/x", "1/takes/-1", "1/takes/" + "9" * 5000, "x/takes/1"):
        assert client.get(f"/api/runs/{saved.id}/{path}.wav").status_code == 404
    choosing.choose(saved.id, {1: 2}, join=False)
    whole = client.get(f"/api/runs/{saved.id}/audio.wav").content
    assert whole == to_bytes(store.load_run(saved.id).wave, 24_000)


def test_chunks_with_wrong_words_are_flagged_until_another_take_is_chosen(open_page: Any, saved: Any) -> None:
    from workbench.engine.measures.intelligibility import Step
    from workbench.engine.runs.measured.files import Measured, write_measured

    good, bad = (Step("same", "One", "One"),), (Step("missing", "boats", ""),)
    measured = Measured({}, ({},) * 4, (good, bad, good, good), ("",) * 4, "whisper-base", "en", "2026-01-01")
    write_measured(store.run_folder(saved.id), measured)
    choosing.add(saved.id, saved.chunks[1])
    at = open_page(run=saved.id)
    assert html_of(at).count("words missing</span>") == 1
    button(at, "takes_open_1").click().run()
    button(at, "takes_choose_1_2").click().run()
    assert "words missing</span>" not in html_of(at)
    button(at, "takes_undo").click().run()
    assert html_of(at).count("words missing</span>") == 1
