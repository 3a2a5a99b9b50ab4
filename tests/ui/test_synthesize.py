"""The Synthesize page: the plan, the run, bad input, and one chunk made again."""

from __future__ import annotations

import io
import itertools
import re
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.ui.helpers import html_of, until
from workbench.engine.runs import exports, store
from workbench.engine.settings import SynthesisSettings, describe
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.voices import make_voice

FIVE = "One boat is here. Two boats are there. Three boats went by. Four boats came back. Five boats sank."


def _type(at: Any, text: str, size: int | None = 30, nfe: int = 4) -> Any:
    at.text_area(key="text").set_value(text)
    if size:
        at.toggle(key="own_chunk_size").set_value(True).run()
        at.slider(key="knob_max_chunk_bytes").set_value(size)
    at.select_slider(key="knob_nfe_step").set_value(nfe)
    at.run()
    assert not at.exception
    return at


def _synthesized(at: Any) -> Any:
    at.button(key="go").click().run()
    return until(at, lambda page: "done in" in html_of(page))


def n_exports(at: Any) -> int:
    """Number of the buttons that give files of the run."""
    keys = {"download_profile", *(f"download_{one.name}" for one in exports.every())}
    return sum(button.key in keys for button in at.get("download_button"))


def test_the_plan_is_there_before_any_synthesis(open_page: Any) -> None:
    at = _type(open_page(), FIVE)
    page = html_of(at)
    assert page.count('class="wb-chunk"') == 5 and "<b>5</b> <span>chunks" in page
    assert "1 · 17 B" in page and store.list_runs() == []
    assert not at.error


def test_a_text_is_spoken_and_every_chunk_has_its_row(open_page: Any) -> None:
    at = _synthesized(_type(open_page(), FIVE))
    (saved,) = store.list_runs()
    run = store.load_run(saved.id)
    assert run.text == FIVE and run.settings.nfe_step == 4 and run.settings.max_chunk_bytes == 30
    rows = re.findall(r'title="made in: text ([\d.]+) s, ODE ([\d.]+) s, vocoder ([\d.]+) s', html_of(at))
    assert len(rows) == 5
    spent = 0.0
    for row, result in zip(rows, run.chunks, strict=True):
        total = result.timing.total_seconds
        assert sum(float(v) for v in row) == pytest.approx(total, rel=0.05, abs=0.002)
        spent += total
    # chunks of milliseconds: what lies between them counts; the browser's test holds the demo voice to 5 %
    assert 0.5 * run.total_seconds < spent <= run.total_seconds * 1.01
    assert at.query_params["run"] == saved.id or at.query_params["run"] == [saved.id]
    assert len(at.get("plotly_chart")) == 1 and "Play" in html_of(at)
    assert [m.label for m in at.metric][:4] == ["Speech", "First audio after", "Whole run", "RTF"]
    assert n_exports(at) == len(exports.every())


def test_an_edited_sentence_costs_one_chunk_and_the_page_says_so(open_page: Any) -> None:
    at = _synthesized(_type(open_page(), FIVE))
    assert "reused" not in html_of(at)
    at = _type(at, FIVE.replace("Three boats went by", "Three ships went by"))
    at.button(key="go").click().run()
    until(at, lambda page: len(store.list_runs()) == 2 and "4 of 5 chunks reused" in html_of(page))
    assert next(m.value for m in at.metric if m.label == "Reused") == "4 of 5"
    (sums,) = [caption.value for caption in at.caption if "5 of 5 chunks made, 4 reused" in caption.value]
    assert ("s*<" in html_of(at)) == ("\\* The first of its length" in sums)
    at.toggle(key="reuse").set_value(False).run()
    at.button(key="go").click().run()
    until(at, lambda page: len(store.list_runs()) == 3 and "done in" in html_of(page))
    newest = store.list_runs()[0]
    assert newest.n_reused == 0 and newest.rtf is not None


def test_a_profile_is_a_download_of_its_run(open_page: Any) -> None:
    at = _type(open_page(), "One boat is here.")
    at.toggle(key="profile").set_value(True).run()
    at = _synthesized(at)
    (saved,) = store.list_runs()
    assert store.profile_of(saved.id)[:2] == b"\x1f\x8b" and "profiled" in html_of(at)
    assert n_exports(at) == len(exports.every()) + 1


def test_a_run_comes_back_from_its_address(open_page: Any, tiny_engine: Any, voice: Any) -> None:
    run = tiny_engine.run(FIVE, voice, SynthesisSettings(nfe_step=4, max_chunk_bytes=30, speed=1.2, seed=9))
    store.save_run(run)
    at = open_page(run=run.id)
    assert at.text_area(key="text").value == FIVE  # and all that is needed to speak it again
    assert at.selectbox(key="voice_name").value == voice.name
    assert at.select_slider(key="knob_nfe_step").value == 4 and at.slider(key="knob_max_chunk_bytes").value == 30
    assert at.slider(key="knob_speed").value == pytest.approx(1.2) and at.number_input(key="knob_seed").value == 9
    assert len(at.get("plotly_chart")) == 1


def _restarted() -> None:
    """As after a restart of the server: what was in memory is gone."""
    import streamlit as st

    from workbench.ui import resources

    st.cache_resource.clear()
    st.cache_data.clear()
    resources.engine()
    resources.preload_state().doing = "ready"


def test_a_run_by_an_own_voice_is_opened_and_spoken_after_a_restart(
    open_page: Any, tiny_engine: Any, speech: np.ndarray
) -> None:
    own = make_voice(to_bytes(speech, 24_000), "Some words are said in it.", name="me")
    run = tiny_engine.run(FIVE, own, SynthesisSettings(nfe_step=4, max_chunk_bytes=30))
    store.save_run(run)
    _restarted()
    at = open_page(run=run.id)
    assert at.segmented_control(key="voice_source").value == "Voice of this run"
    assert any("stored with the run" in caption.value for caption in at.caption)
    at.button(key="go").click().run()  # by the same voice
    until(at, lambda page: len(store.list_runs()) == 2)
    assert {store.load_run(r.id).voice_id for r in store.list_runs()} == {own.id}


def test_a_link_never_shows_another_voice_of_the_same_name(
    open_page: Any, tiny_engine: Any, voice: Any, speech: np.ndarray
) -> None:
    other = make_voice(to_bytes(speech, 24_000), "Some words are said in it.", name=voice.name)
    run = tiny_engine.run("Hello there, friend.", other, SynthesisSettings(nfe_step=4))
    store.save_run(run)
    at = open_page(run=run.id)
    assert at.segmented_control(key="voice_source").value == "Voice of this run"


@pytest.mark.parametrize("wrong", ["20200101-000000-abcdef", "../../etc/passwd", "<script>alert(1)</script>"])
def test_a_wrong_address_is_one_line(open_page: Any, wrong: str) -> None:
    at = open_page(run=wrong)
    assert len(at.error) == 1 and ("There is no run" in at.error[0].value or "is not the id" in at.error[0].value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("…!?", "nothing to pronounce"),
        ("word " * 2000, "without a sentence or clause end"),
        ("Hello 😀 there.", "vocabulary lacks"),
        ("你好，世界。", "vocabulary lacks"),
        ("a\x00b", "NUL"),
        ("Wait. [pause] Go.", "has no valid length"),
    ],
)
def test_a_text_that_cannot_be_spoken_is_one_clear_message(open_page: Any, text: str, says: str) -> None:
    at = _type(open_page(), text)
    assert len(at.error) == 1 and says in at.error[0].value
    assert at.button(key="go").disabled and not at.exception


def test_what_is_in_the_way_is_marked_and_one_button_clears_it(open_page: Any) -> None:
    at = _type(open_page(), "# A title\n\nHello 😀 **there**, it is 22\u200b now — “yes”.", size=None)
    page = html_of(at)
    assert 'class="wb-lacking" title="the model cannot speak this">😀' in page and at.button(key="go").disabled
    assert "Changed: U+200B left out" in page and "Offered: " in page
    at.button(key="clean_text").click().run()
    assert at.text_area(key="text").value == "A title\n\nHello  there, it is 22\u200b now — “yes”."
    page = html_of(at)
    assert not at.error and not at.button(key="go").disabled and 'class="wb-lacking"' not in page
    assert '22</span><span class="wb-words"> twenty-two</span>' in page


def test_a_pause_is_a_row_of_the_plan_and_of_the_table(open_page: Any) -> None:
    from workbench.engine.speech.text import plan_chunks
    from workbench.ui.parts import tables

    text = "[pause 0.5s] One boat is here. [pause 1.25s] Two boats are there."
    page = html_of(_type(open_page(), text, size=None))
    assert page.count('class="wb-pause"') == 2 and "pause 1.25 s" in page
    assert "<b>1.8 s</b> <span>of pauses" in page or "<b>1.7 s</b> <span>of pauses" in page
    table = tables.chunk_table(plan_chunks(text, "A reference of words.", 24_000 * 3, SynthesisSettings()))
    assert "pause of 0.50 s" in table and "pause of 1.25 s" in table


def test_ten_thousand_characters_are_planned(open_page: Any) -> None:
    at = _type(open_page(), "This boat is one of many. " * 400, size=200)
    assert (not at.error and "10,0" in html_of(at)) or html_of(at).count("wb-chunk") > 40


def test_html_in_a_text_stays_text(open_page: Any) -> None:
    from workbench.engine.speech.text import Chunk
    from workbench.ui.parts import plan_view, tables

    text = "<img src=x onerror=alert(1)> said & done."
    chunk = Chunk(0, text, len(text), 100, 50, 1.0, 0, ("a <b>warning</b>",), end=len(text))
    marks = [(0, 4, "wb-offer", "<b>title</b>", "<b>words</b>")]
    for page in (
        plan_view.coloured(text, [chunk], marks),
        plan_view.uncut(text, marks),
        tables.chunk_table([chunk]),
    ):
        assert "<img" not in page and "<b>" not in page and "&lt;img" in page


def test_chunks_are_found_in_the_text_they_came_from() -> None:
    from workbench.engine.speech.text import plan_chunks

    text = "  One boat,\n\n two   boats.  Three\tboats came; four left!  你好，世界。再见。"
    chunks = plan_chunks(text, "A reference of words.", 24_000 * 3, SynthesisSettings(max_chunk_bytes=20))
    places = [(chunk.start, chunk.end) for chunk in chunks]
    for chunk, (low, high) in zip(chunks, places, strict=True):
        assert "".join(text[low:high].split()) == "".join(chunk.text.split())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(places)) and len(chunks) > 3


def test_an_uploaded_voice_speaks(open_page: Any, speech: np.ndarray) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, speech, 24_000, format="WAV")
    at = open_page()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    assert at.button(key="go").disabled
    at.file_uploader(key="voice_file").upload("../../<b>me</b>.wav", buffer.getvalue(), "audio/wav").run()
    assert at.button(key="go").disabled  # its words are missing
    at.text_input(key="voice_words_Upload").set_value("Some words are said in it").run()
    assert not at.error and not at.button(key="go").disabled
    _synthesized(_type(at, "One boat is here."))
    (saved,) = store.list_runs()
    assert saved.voice == "b>" or "/" not in saved.voice


def test_the_words_of_an_upload_are_filled_in_and_kept_with_the_run(
    open_page: Any, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.engine.asr.recogniser import Heard
    from workbench.engine.speech.recordings import dictation

    at = open_page()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    at.file_uploader(key="voice_file").upload("me.wav", to_bytes(speech, 24_000), "audio/wav").run()
    at.button(key="voice_words_Upload_fill").click().run()  # nothing here can listen
    assert not at.exception and len(at.error) == 1 and "cache fetch whisper-base" in at.error[0].value

    class Ears:
        def hear(self, wave: Any, rate: int, **options: Any) -> Heard:
            return Heard("Some words are heard", "de", 0.9, "whisper-base", 0.1)

    monkeypatch.setattr(dictation, "load_recogniser", lambda language: Ears())
    at.button(key="voice_words_Upload_fill").click().run()
    assert not at.error and at.text_input(key="voice_words_Upload").value == "Some words are heard."
    assert any("whisper-base filled in these words" in c.value for c in at.caption)
    _synthesized(_type(at, "One boat is here."))
    (saved,) = store.list_runs()
    voice = store.load_run(saved.id).request.voice
    assert (voice.ref_text, voice.heard_by, voice.language) == ("Some words are heard.", "whisper-base", "de")
    at.text_input(key="voice_words_Upload").set_value("Some words are heard here.").run()
    assert not any("filled in these words" in c.value for c in at.caption)  # a person's by now


@pytest.mark.parametrize("content", [b"", b"not audio at all" * 100, b"RIFF\xff\xff\xff\x7fWAVEfmt "])
def test_an_upload_that_is_no_audio_is_one_clear_message(open_page: Any, content: bytes) -> None:
    at = open_page()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    at.file_uploader(key="voice_file").upload("voice.wav", content, "audio/wav").run()
    at.text_input(key="voice_words_Upload").set_value("Some words").run()
    assert not at.exception and len(at.error) == 1 and at.button(key="go").disabled


def test_every_knob_of_the_settings_has_a_widget_with_its_help(open_page: Any) -> None:
    at = open_page()
    for row in describe(SynthesisSettings):
        widget = at.get_by_key(f"knob_{row['name']}")
        assert row["help"] in widget.proto.help, row["name"]


def test_a_failed_preload_is_told_and_can_be_tried_again(tiny_server: Any, open_page: Any) -> None:
    from workbench.ui import resources

    state = resources.preload_state()
    state.doing, state.error = "failed", "The files of tiny are not complete."
    at = open_page()
    assert "not complete" in html_of(at) and "wb-chunk" in html_of(at)
    at.button(key="preload_again").click().run()
    until(at, lambda page: "loaded once" in html_of(page))


def test_names_of_files_lose_their_paths() -> None:
    from workbench.ui.parts.voice_picker import shown_name

    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\voices\\me.wav") == "me"
    assert shown_name("\x00\x1b[31m.wav") != "" and len(shown_name("x" * 500)) == 60
    assert shown_name("") == "recording"


def test_a_disk_that_is_full_costs_no_run(open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.savez", full)
        at = _synthesized(_type(open_page(), "Hello there, friend."))
        (message,) = [error.value for error in at.error]
        assert "No space left on device" in message and "stays in memory" in message
        assert "not saved" in html_of(at) and store.list_runs() == []
        assert (
            "/api/jobs/" in html_of(at) and n_exports(at) == len(exports.every()) and len(at.get("plotly_chart")) == 1
        )
        run_id = at.session_state["run_id"]
        listed = open_page("runs")  # from another page too
        assert any(run_id in text.value for text in listed.text)
        at.button(key=f"save_again_{run_id}").click().run()
        assert at.error and not at.exception
    at.button(key=f"save_again_{run_id}").click().run()
    assert not at.error and [run.id for run in store.list_runs()] == [run_id]
    assert "not saved" not in html_of(at)


def test_a_model_that_cannot_read_the_voice_says_so_when_it_is_chosen(open_page: Any) -> None:
    at = open_page()
    assert not any("cannot read" in caption.value for caption in at.caption)
    chinese = next(name for name in at.selectbox(key="voice_name").options if "zh" in name)
    assert at.selectbox(key="voice_name").options[-1] == chinese and chinese.endswith("not for tiny")
    at.selectbox(key="voice_name").set_value(chinese.split(" ")[0]).run()
    told = [caption.value for caption in at.caption if "cannot read" in caption.value]
    assert len(told) == 1 and told[0].startswith(":orange[⚠ tiny cannot read") and "U\\+" in told[0]


def test_a_text_is_judged_by_the_vocabulary_of_a_model_that_is_not_loaded(tiny_server: Any) -> None:
    from workbench.ui.parts.plan_view import plan
    from workbench.ui.resources import default_voice

    found = plan("Привет, мир.", default_voice(), SynthesisSettings(), "demo-voice")
    assert "vocabulary lacks 'П' (U+041F)" in found.error and not found.chunks


def test_weights_are_a_choice_where_a_file_holds_both(
    open_page: Any, tiny_folder: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    import torch
    import yaml
    from safetensors.torch import load_file

    from tests.conftest import TINY_ARCH
    from workbench.engine.cache import import_model

    mine = shutil.copytree(tiny_folder, tmp_path / "mine")
    ema = load_file(mine / "model_random.safetensors")
    (mine / "model_random.safetensors").unlink()
    raw = {name.removeprefix("ema_model."): value for name, value in ema.items()}
    torch.save({"ema_model_state_dict": ema, "model_state_dict": raw}, mine / "model_mine.pt")
    (mine / "config.yaml").write_text(yaml.safe_dump({"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}}))
    import_model(mine, name="mine")
    at = open_page()
    assert not [g for g in at.button_group if g.key == "weights"], "the model of this server holds one kind"
    monkeypatch.setenv("WORKBENCH_MODEL", "mine")
    at = _type(open_page(), "One boat is here.", None)
    at.segmented_control(key="weights").set_value("raw").run()
    at = _synthesized(at)
    (saved,) = store.list_runs()
    assert store.load_run(saved.id).request.load.weights == "raw"
