"""Listen and look: every source and panel, spans, slices, words, files, and bad input."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.ui.helpers import until
from workbench.engine import measures
from workbench.engine.asr.recogniser import Word
from workbench.engine.runs import exports, store
from workbench.engine.runs.measured import words as kept_words
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.phonetics import contours
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice
from workbench.ui.look import display, files, tools
from workbench.ui.look import words as word_tier
from workbench.ui.look.spans import Moment, Spans
from workbench.ui.runs import sources

TEXT = "One two three, four five. Six seven eight. Nine ten."


def make_run(engine: Any, **changes: Any) -> Any:
    chosen = SynthesisSettings(nfe_step=4, max_chunk_bytes=24).replace(**changes)
    run = engine.run(TEXT, load_voice(list_voices()[0].name), chosen)
    store.save_run(run)
    return run


def figure(at: Any, index: int = 0) -> Any:
    return json.loads(at.get("plotly_chart")[index].proto.spec)


def titles(at: Any) -> list[str]:
    return [a["text"] for a in figure(at)["layout"]["annotations"] if not a["text"].startswith("#")]


def choose(at: Any, panels: list[str], n_sources: int = 1) -> None:
    at.button_group(key=f"panels_{n_sources}").set_value(panels).run()
    assert not at.exception


def test_without_a_run_the_reference_is_shown(open_page: Any) -> None:
    at = open_page("spectrograms")
    assert titles(at) == ["Waveform", "Words", "F0", "Mel, as the model is given it", "Mel of the audio"]
    assert not at.error and not at.get("audio")
    at.button_group(key="kind_A_").set_value("Run").run()
    assert not at.exception and not at.get("plotly_chart")


def test_it_opens_with_the_run_you_hear_and_binds_its_figure_to_it(open_page: Any, tiny_engine: Any) -> None:
    first, _ = make_run(tiny_engine), make_run(tiny_engine, seed=9)
    at = open_page("spectrograms", run=first.id)
    assert at.selectbox(key=f"run_A_{first.id}").value == first.id
    bound = figure(at)["layout"]["meta"]["sound"]
    assert bound["key"] == f"run:{first.id}" and bound["figure_starts_at"] == 0


def test_a_link_opens_a_chunk_at_its_place_in_the_run(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    at = open_page("spectrograms", run=run.id, chunk="2")
    assert at.selectbox(key=f"chunk_A_{run.id}_").value == 1
    bound = figure(at)["layout"]["meta"]["sound"]
    assert bound["timeline"] == f"run:{run.id}"
    assert bound["figure_starts_at"] == pytest.approx(run.starts[1] / run.sample_rate, abs=1e-5)


def test_every_panel_of_a_run_with_its_borders(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    at = open_page("spectrograms", run=run.id)
    choose(at, list(display.KINDS[:-1]))
    assert len(titles(at)) == 8  # formants are no panel of their own
    borders = sorted({s["x0"] for s in figure(at)["layout"]["shapes"] if s["type"] == "line"})
    assert borders == pytest.approx([start / run.sample_rate for start in run.starts[1:]])
    for key, value in (("scale", "log"), ("highest", "5 kHz"), ("scale", "linear")):
        at.selectbox(key=key).set_value(value).run()
        assert not at.exception
    assert len(figure(at)["layout"]["yaxis5"]["ticktext"]) > 2


def test_the_window_of_the_stft_is_chosen(open_page: Any, tiny_engine: Any) -> None:
    at = open_page("spectrograms", run=make_run(tiny_engine).id)
    choose(at, [display.FOURIER])
    assert "42.7 ms Hann" in titles(at)[0]
    at.select_slider(key="window_ms").set_value(5.0).run()
    at.selectbox(key="window_kind").set_value("Gauss").run()
    at.slider(key="window_overlap").set_value(80).run()
    at.toggle(key="window_emphasis").set_value(True).run()
    assert not at.exception and "5 ms Gauss, step 1 ms" in titles(at)[0]
    assert "dBFS" in figure(at)["data"][0]["hovertemplate"] and "%{y}" in figure(at)["data"][0]["hovertemplate"]


def test_the_tables_of_a_whole_run_are_those_of_its_exports(tiny_server: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    usual, source = SimpleNamespace(ceiling_hz=5500.0), sources.of_run(run.id, None)
    made = store.load_run(run.id)
    assert files._contours(source, usual)() == exports.get("contours").make(made).decode()  # type: ignore[arg-type]
    assert files._mel(source)() == exports.get("mel").make(made).decode()


def test_without_praat_the_page_says_what_is_missing(
    open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contours, "find_spec", lambda name: None)
    at = open_page("spectrograms", run=make_run(tiny_engine).id)
    choose(at, [display.FOURIER, display.FORMANTS])
    assert "pip install praat-parselmouth" in at.info[0].value
    assert len(figure(at)["data"]) == 1


def test_formants_are_drawn_and_named(open_page: Any, tiny_engine: Any) -> None:
    pytest.importorskip("parselmouth", reason="Praat is not here: pip install praat-parselmouth (extra praat)")
    at = open_page("spectrograms", run=make_run(tiny_engine).id)
    choose(at, [display.FOURIER, display.FORMANTS])
    assert [t.get("name") for t in figure(at)["data"]][1:] == ["F1", "F2", "F3", "F4"]


@pytest.mark.parametrize("run", ["../../etc/passwd", "<img src=x onerror=alert(1)>", "20261123-000000-abcdef"])
@pytest.mark.parametrize("chunk", ["-1", "999999", "²", "x"])
def test_an_address_made_up_says_so_and_the_page_works(open_page: Any, tiny_engine: Any, run: str, chunk: str) -> None:
    make_run(tiny_engine)
    at = open_page("spectrograms", run=run, chunk=chunk)
    assert not at.exception and at.error and len(at.get("plotly_chart")) == 2


def test_a_against_b_share_one_scale_and_one_figure(open_page: Any, tiny_engine: Any) -> None:
    a, b = make_run(tiny_engine), make_run(tiny_engine, speed=0.7)
    at = open_page("spectrograms", run=a.id, b=b.id)
    choose(at, [display.WAVE, display.PITCH, display.LEVEL, display.MODEL, display.HEARD, display.MINUS], 2)
    assert titles(at)[:4] == ["A: Waveform", "B: Waveform", "F0: A orange, B blue", "Intensity: A orange, B blue"]
    assert titles(at)[-1] == "B minus A, mel of the audio, B aligned in time to A"
    heat = [t for t in figure(at)["data"] if t["type"] == "heatmap"][:-1]
    assert len({(t["zmin"], t["zmax"]) for t in heat}) == 1
    lengths = at.dataframe[0].value["length (s)"]
    assert lengths[0] != lengths[1]
    said = " ".join(c.value for c in at.caption)
    assert "speed 1" in said and "nfe step" not in said  # what differs, and nothing else


def test_another_run_that_is_chosen_is_the_run_you_hear(open_page: Any, tiny_engine: Any) -> None:
    a, b = make_run(tiny_engine), make_run(tiny_engine, seed=3)
    at = open_page("spectrograms", run=a.id)
    at.selectbox(key=f"run_A_{a.id}").set_value(b.id).run()
    assert at.query_params["run"] in (b.id, [b.id])
    at.button_group(key="kind_B_").set_value("Run").run()
    assert at.query_params["b"] in (a.id, [a.id])
    at.button_group(key=f"kind_B_{a.id}").set_value("Reference").run()
    assert "b" not in at.query_params and "B: Waveform" in titles(at)  # the reference stands beside it instead
    at.button_group(key="kind_B_").set_value("Nothing").run()
    assert "b" not in at.query_params and not at.exception


def name_of(at: Any) -> str:
    return str(figure(at)["layout"]["meta"]["look"])


def moment(at: Any) -> Any:
    """The box with the second of the slice: another one after each click."""
    return next(box for box in at.number_input if (box.key or "").startswith("at_"))


def test_a_span_is_measured_played_zoomed_and_marked_in_every_panel(open_page: Any, tiny_engine: Any) -> None:
    at = open_page("spectrograms", run=make_run(tiny_engine).id)
    at.session_state[f"span_{name_of(at)}"] = (0.3, 0.8)
    at.run()
    said = " ".join(c.value for c in at.caption)
    assert "0.300 to 0.800 s" in said and "500 ms" in said and "dBFS" in said
    (span,) = [s for s in figure(at)["layout"]["shapes"] if s.get("name") == "span"]
    assert (span["x0"], span["x1"], span["yref"]) == (0.3, 0.8, "paper")
    at.button(key="zoom").click().run()
    assert figure(at)["layout"]["xaxis"]["range"] == [0.3, 0.8] and not at.exception
    at.button(key="unzoom").click().run()
    assert figure(at)["layout"]["xaxis"]["range"][0] == 0
    at.button(key="look_zoom_in").click().run()
    low, high = figure(at)["layout"]["xaxis"]["range"]
    assert low < 0.55 < high and at.session_state[f"view_{name_of(at)}"] == pytest.approx((low, high))
    at.button(key="clear_span").click().run()
    assert not [s for s in figure(at)["layout"]["shapes"] if s.get("name") == "span"]


def test_the_slice_is_at_the_moment_that_is_typed(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    at = open_page("spectrograms", run=run.id)
    moment(at).set_value(0.5).run()
    at.toggle(key="slice_mean").set_value(True).run()
    names = [t["name"] for t in figure(at, 1)["data"]]
    assert names[0] == "A at 0.500 s" and names[1].startswith("A, mean of 0.00 to ")
    assert figure(at, 1)["layout"]["xaxis"]["title"]["text"] == "frequency (Hz)"
    assert any("peak" in c.value and "Hz" in c.value for c in at.caption)


def test_words_are_heard_once_and_kept_with_the_run(
    open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tiny_engine)
    at = open_page("spectrograms", run=run.id)
    assert "Chunks" in titles(at) and any("whole chunks, not words" in c.value for c in at.caption)
    ears = SimpleNamespace(words=lambda *_, **__: (Word(0.1, 0.2, "hey", 1.0),), spec=SimpleNamespace(name="someone"))
    monkeypatch.setattr(word_tier, "best_recogniser", lambda language: SimpleNamespace(name="someone"))
    monkeypatch.setattr(kept_words, "load_recogniser", lambda **_: ears)
    at.run()
    at.button(key="words_A").click().run()
    until(at, lambda page: "Words and chunks" in titles(page))
    bars = [t for t in figure(at)["data"] if t["type"] == "bar"]
    assert bars[0]["text"] == ["hey"] * len(run.chunks)
    starts = [0.1 + start / run.sample_rate for start in run.starts]
    assert bars[0]["base"] == pytest.approx(starts, abs=1e-6)
    assert not [b for b in at.button if b.key == "words_A"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.wav", b"", "empty"),
        ("../../etc/passwd", b"root:x:0:0", "not audio"),
        ("<script>alert(1)</script>.wav", b"RIFF" + b"\0" * 400, "not audio"),
        ("silence.wav", to_bytes(np.zeros(24_000, np.float32), 24_000), "silent"),
        ("🎤" * 60 + ".flac", b"\x89PNG" + bytes(2000), "not audio"),
        ("long.wav", to_bytes(np.full(8000 * 200, 0.1, np.float32), 8000), "200 s long"),
    ],
)
def test_an_upload_that_cannot_be_read_is_told_in_one_line(
    open_page: Any, name: str, content: bytes, said: str
) -> None:
    at = open_page("spectrograms")
    at.button_group(key="kind_A_").set_value("File").run()
    at.file_uploader(key="file_A").upload(name, content).run()
    assert not at.exception and said in at.error[0].value and "\n" not in at.error[0].value


def test_an_upload_is_shown_at_its_true_level(open_page: Any, speech: np.ndarray) -> None:
    at = open_page("spectrograms")
    at.button_group(key="kind_A_").set_value("File").run()
    at.file_uploader(key="file_A").upload("quiet.wav", to_bytes(speech * np.float32(0.1), 24_000)).run()
    assert not at.exception and titles(at) == ["Waveform", "F0", "Mel of the audio"]
    row = at.dataframe[0].value.iloc[0]
    assert row["peak (dBFS)"] == pytest.approx(20 * np.log10(0.1 * np.abs(speech).max()), abs=0.1)
    assert row["median F0 (Hz)"] == pytest.approx(120, abs=2)
    assert {m.title for m in measures.known(measures.SOUND, [measures.Sound(speech)])} <= set(row.index)
    assert "vocoder changed, mean (dB)" not in row.index  # no model made it


def test_every_measure_of_a_run_s_sound_is_in_the_table(open_page: Any, tiny_engine: Any) -> None:
    sound = measures.Sound.of_run(make_run(tiny_engine))
    row = open_page("spectrograms").dataframe[0].value.iloc[0]
    wanted = {m.title: m.value(sound) for m in measures.known(measures.SOUND, [sound])}
    assert {"level (dBFS)", "vocoder changed, mean (dB)", "voiced (%)"} <= set(wanted)
    for title, value in wanted.items():
        assert row[title] == pytest.approx(value, abs=0.51), title  # rounded


# What a browser sends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x", None, {"a": 1}, [1], [1, 2, 3], float("nan"), [0, float("inf")], [True, False]])
def test_what_is_no_span_and_no_moment_is_dropped(value: Any) -> None:
    assert tools._numbers(value) is None


def told(monkeypatch: pytest.MonkeyPatch, *says: Any) -> list[Any]:
    """What the page takes of an element that listens to "here", if its state becomes each of ``says``."""
    state: dict[str, Any] = {}
    events: dict[str, Any] = {}
    taken: list[Any] = []
    monkeypatch.setattr(tools, "st", SimpleNamespace(session_state=state))
    monkeypatch.setattr(tools, "_tools", lambda **asked: events.update(asked))
    tools.listen("here", "ears", at=taken.append)
    for said in says:
        state["ears"] = {"at": said}
        events["on_at_change"]()
    return taken


def test_what_is_done_is_taken_once_and_of_this_figure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"n": 7, "of": "here", "value": 1.5}
    assert told(monkeypatch, first, first, first | {"n": 6}) == [1.5]
    assert told(monkeypatch, first, first | {"n": 8}) == [1.5, 1.5]  # a second click at the same place
    assert told(monkeypatch, first | {"of": "elsewhere"}) == []


@pytest.mark.parametrize(
    "said", [None, 1.5, [1.5], {}, {"of": "here", "value": 1.0}, {"n": "9", "of": "here", "value": 1.0}]
)
def test_what_no_element_of_ours_would_say_is_dropped(monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    assert told(monkeypatch, said) == []


def test_a_click_is_not_undone_by_what_the_browser_still_says_of_the_box(open_page: Any, tiny_engine: Any) -> None:
    at = open_page("spectrograms", run=make_run(tiny_engine).id)
    name, before = name_of(at), moment(at)
    at.session_state[f"moment_{name}"], at.session_state[f"clicks_{name}"] = 0.25, 1  # as a click leaves them
    at.toggle(key="slice_log").set_value(True).run()  # which also says what the box showed before
    assert moment(at).value == 0.25 and moment(at).key != before.key
    moment(at).set_value(0.5).run()
    typed = moment(at).key
    at.toggle(key="slice_log").set_value(False).run()
    assert moment(at).value == 0.5 and moment(at).key == typed  # the box in which one types stays


def test_a_moment_is_within_the_sound_and_clicked_again(spans: Spans) -> None:
    moment = Moment(spans, lambda: 9.0)
    assert moment.second == 6.0
    first = moment.key
    moment.take(1.23456)
    assert moment.second == 1.235 and moment.key != first
    moment.take(-1.0)
    assert moment.second == 0.0 and Moment(spans, lambda: 9.0).second == 0.0


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    state: dict[str, Any] = {}
    monkeypatch.setattr("workbench.ui.look.spans.st", SimpleNamespace(session_state=state))
    return Spans("a", 6.0)


def test_a_view_stays_within_the_sound(spans: Spans) -> None:
    spans.show([-3.0, 2.0])
    assert spans.view == (0.0, 2.0)
    spans.move(5.0)
    assert spans.view == (4.0, 6.0)
    spans.move(-9.0)
    assert spans.view == (0.0, 2.0)
    spans.zoom(0.5)
    assert spans.view == (0.5, 1.5)
    for _ in range(4):
        spans.zoom(2.0)
    assert spans.view is None


def test_a_slip_changes_nothing_and_a_double_click_shows_all(spans: Spans) -> None:
    spans.show([1.0, 2.0, 0.25, 0.5])
    assert spans.view == (1.0, 2.0) and spans.band == (0.25, 0.5)
    spans.show([1.5, 1.5001])
    assert spans.view == (1.0, 2.0)
    spans.show([])
    assert spans.view is None and spans.band is None
    spans.select([2.0, 1.0])
    assert spans.selected == (1.0, 2.0)
    spans.select([1.0, 1.0])
    assert spans.selected is None


def test_a_sheet_names_its_units_and_leaves_unvoiced_cells_empty() -> None:
    from workbench.engine.signal.phonetics import sheets
    from workbench.engine.signal.pitch import pitch

    t = np.arange(24_000) / 24_000
    wave = np.concatenate([0.3 * np.sin(2 * np.pi * 200 * t), np.zeros(12_000)]).astype(np.float32)
    rows = list(
        csv.DictReader(io.StringIO(sheets.contours_sheet(pitch(wave, 24_000), contours.intensity(wave, 24_000))))
    )
    assert list(rows[0]) == ["time_s", "f0_hz", "aperiodicity", "intensity_dbfs"]
    assert float(rows[40]["f0_hz"]) == pytest.approx(200, abs=0.5) and rows[-3]["f0_hz"] == ""
    assert float(rows[40]["intensity_dbfs"]) == pytest.approx(-13.5, abs=0.1)
