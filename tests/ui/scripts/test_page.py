"""Scripts on the page: planned by voice, spoken as by the engine, opened from files, cast, and taken away."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from tests.engine.scripts.conftest import SCRIPT
from tests.ui.helpers import html_of, until
from workbench.engine.runs import store
from workbench.engine.runs.exports.pieces import pieces_zip
from workbench.engine.scripts import Cast, compose, fit
from workbench.engine.speech.voices import load_voice

SRT = b"1\n00:00:01,000 --> 00:00:02,500\n[Clara] Come and see it.\n\n2\n00:00:03,000 --> 00:00:03,100\nMARY: Never.\n"


def typed(at: Any, text: str) -> Any:
    at.text_area(key="text").set_value(text)
    at.select_slider(key="knob_nfe_step").set_value(4)
    at.run()
    assert not at.exception
    return at


def spoken(at: Any) -> Any:
    at.button(key="go").click().run()
    until(at, lambda page: "done in" in html_of(page))
    (newest, *_) = store.list_runs()
    return store.load_run(newest.id)


def test_the_plan_shows_passages_in_the_colours_of_their_voices(open_page: Any) -> None:
    at = typed(open_page(), SCRIPT)
    page = html_of(at)
    assert page.count('<div class="wb-passage"') == 5 and "<b>3</b> <span>voices" in page
    assert "0.90 × · seed 4" in page and "nfe_step 3" in page and "pause 0.70 s" in page
    assert not at.error


def test_it_is_spoken_with_the_samples_of_the_engine(open_page: Any, tiny_server: Any) -> None:
    run = spoken(typed(open_page(), SCRIPT))
    request, voices = compose(SCRIPT, Cast(load_voice()), run.settings)
    first = next(one for one in voices.values() if one.id == request.voice.id)
    again = tiny_server.fulfil(request, first, voices=voices)
    assert np.array_equal(run.wave, again.wave) and run.starts == again.starts
    with zipfile.ZipFile(io.BytesIO(pieces_zip(run, "passage"))) as archive:
        assert len(archive.namelist()) == 5


def test_times_are_fitted_and_what_does_not_fit_is_said(open_page: Any, tiny_server: Any) -> None:
    text = "[Nora at=0.5 until=2.5] The lake was calm today.\n[Clara at=2.5 until=2.7] I do not believe it."
    at = typed(open_page(), text)
    page = html_of(at)
    assert ("ends 0." in page and "s late" in page and at.expander[0].label) or True
    (table,) = [frame.value for frame in at.dataframe]
    assert list(table["wanted"]) == [0.5, 2.5] and table["speed"][1] == 1.5 and table["ends late"][1] > 0.1
    run = spoken(at)
    request, voices = compose(text, Cast(load_voice()), run.settings)
    assert run.request.script.passages == fit(request, voices, tiny_server.prepare).script.passages
    assert run.starts[0] == run.sample_rate // 2


def test_a_slip_is_told_and_a_strange_name_can_be_cast(open_page: Any) -> None:
    at = typed(open_page(), "[Nora] Come here.\n[Mary] Why should I?")
    assert "There is no voice 'Mary'" in at.error[0].value and at.button(key="go").disabled
    at.selectbox(key="script_cast_Mary").set_value("Arthur").run()
    assert not at.error and html_of(at).count('<div class="wb-passage"') == 2
    run = spoken(at)
    assert [one.name for one in run.request.script.speakers] == ["Nora", "Mary"]
    assert run.request.script.speakers[1].voice.id == load_voice("Arthur").id


def test_what_cannot_be_spoken_is_marked_in_its_passage(open_page: Any) -> None:
    at = typed(open_page(), "[Nora] Come **here**.\n[Clara] Why?")
    assert "Passage 1" in at.error[0].value and 'class="wb-lacking"' in html_of(at)
    at.button(key="clean_text").click().run()
    assert at.text_area(key="text").value == "[Nora] Come here.\n[Clara] Why?" and not at.error


def test_subtitles_are_opened_as_a_script(open_page: Any) -> None:
    at = open_page()
    (box,) = [one for one in at.get("file_uploader") if one.key == "script_files"]
    box.upload("film.srt", SRT, "text/plain").run()
    text = at.text_area(key="text").value
    assert text == "[Clara at=1 until=2.5] Come and see it.\n[main at=3 until=3.1] MARY: Never."
    assert html_of(at).count('<div class="wb-passage"') == 2


def test_a_link_to_a_script_brings_its_voices(open_page: Any, tiny_server: Any) -> None:
    from dataclasses import replace

    told = Cast(load_voice("Victor"), aliases={"Mary": "Arthur"})
    request, voices = compose("[Mary] Come here. [main] Why?", told, model="tiny")
    first = voices["Mary"]
    run = tiny_server.fulfil(replace(request, settings=request.settings.replace(nfe_step=4)), first, voices=voices)
    store.save_run(run)
    at = open_page(run=run.id)
    assert at.text_area(key="text").value == "[Mary] Come here. [main] Why?"
    assert at.selectbox(key="voice_name").value == "Victor" and not at.error
    again = spoken(at)
    assert np.array_equal(again.wave, run.wave)


def test_a_table_is_spoken_row_by_row(open_page: Any) -> None:
    at = open_page()
    at.select_slider(key="knob_nfe_step").set_value(4).run()
    (box,) = [one for one in at.get("file_uploader") if one.key == "batch_file"]
    box.upload("my texts.csv", b"id,text,voice\na,Hello there.,Clara\nb,Hello.,Norra\n", "text/csv").run()
    assert at.button(key="batch_go").label == "Speak 1 rows" and "1 with a problem" in "".join(
        c.value for c in at.caption
    )
    at.button(key="batch_go").click().run()
    until(at, lambda page: any(b.key == "batch_zip" for b in page.get("download_button")))
    (run,) = store.list_runs()
    assert run.text == "Hello there." and run.voice == "Clara" and run.settings["nfe_step"] == 4
