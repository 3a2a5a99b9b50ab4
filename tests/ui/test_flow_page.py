"""Spectrograms and Flow: every source, every panel, bad input, and a trajectory made on the page."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.ui.helpers import html_of, until
from workbench.engine import measures
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice

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


def test_without_a_run_the_reference_is_shown(open_page: Any) -> None:
    at = open_page("spectrograms")
    assert titles(at) == ["Waveform", "F0", "Mel, as the model is given it", "Mel of the audio"]
    assert len(at.get("audio")) == 1 and not at.error
    at.button_group(key="kind_A").set_value("Run").run()
    assert "Make one on the page" in html_of(at) and not at.exception


def test_every_panel_of_a_run_with_its_borders(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)
    at = open_page("spectrograms")
    at.button_group(key="panels").set_value(["Waveform", "F0", "Mel, model", "Mel, audio", "Difference", "STFT"]).run()
    assert not at.exception and len(titles(at)) == 6
    borders = sorted({s["x0"] for s in figure(at)["layout"]["shapes"] if s["type"] == "line"})
    assert borders == pytest.approx([start / run.sample_rate for start in run.starts[1:]])
    for scale in ("linear", "log"):
        at.selectbox(key="scale").set_value(scale).run()
        assert not at.exception
    at.selectbox(key=f"chunk_A_{run.id}").set_value(1).run()
    assert "shapes" not in figure(at)["layout"] or not figure(at)["layout"]["shapes"]


def test_a_link_opens_its_run_and_chunk(open_page: Any, tiny_engine: Any) -> None:
    first, _ = make_run(tiny_engine), make_run(tiny_engine, seed=9)
    at = open_page("spectrograms", run=first.id, chunk="2")
    assert at.selectbox(key=f"run_A_{first.id}").value == first.id
    assert at.selectbox(key=f"chunk_A_{first.id}").value == 1


@pytest.mark.parametrize("run", ["../../etc/passwd", "<img src=x onerror=alert(1)>", "20261123-000000-abcdef"])
@pytest.mark.parametrize("chunk", ["-1", "999999", "²", "x"])
def test_an_address_made_up_says_so(open_page: Any, tiny_engine: Any, run: str, chunk: str) -> None:
    make_run(tiny_engine)
    at = open_page("spectrograms", run=run, chunk=chunk)
    assert not at.exception and "does not exist" in at.warning[0].value and len(at.get("plotly_chart")) == 1


def test_a_against_b_share_one_scale_and_stand_side_by_side(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    make_run(tiny_engine, speed=0.7)
    at = open_page("spectrograms")
    at.toggle(key="compare").set_value(True).run()
    assert not at.exception
    assert titles(at)[:4] == ["A: Waveform", "B: Waveform", "A: F0", "B: F0"]
    heat = [t for t in figure(at)["data"] if t["type"] == "heatmap"]
    assert len({(t["zmin"], t["zmax"]) for t in heat}) == 1
    assert len(at.get("audio")) == 2
    lengths = at.dataframe[0].value["length (s)"]
    assert lengths[0] != lengths[1]


def test_a_box_plays_its_span_and_shows_it_alone(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)
    at = open_page("spectrograms")
    box = [{"xref": "x3", "yref": "y3", "x": [0.8, 0.3], "y": [1, 9]}]
    at.session_state["spectrum"] = {"selection": {"box": box, "points": [], "point_indices": [], "lasso": []}}
    at.run()
    assert not at.exception and "0.30 to 0.80 s" in at.markdown[0].value
    assert len(at.get("audio")) == 2
    at.button(key="zoom").click().run()
    assert figure(at)["layout"]["xaxis"]["range"] == [0.3, 0.8]
    at.button(key="unzoom").click().run()
    assert figure(at)["layout"]["xaxis"]["range"][0] == 0


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
    at.button_group(key="kind_A").set_value("File").run()
    at.file_uploader(key="file_A").upload(name, content).run()
    assert not at.exception and said in at.error[0].value and "\n" not in at.error[0].value


def test_an_upload_is_shown_at_its_true_level(open_page: Any, speech: np.ndarray) -> None:
    at = open_page("spectrograms")
    at.button_group(key="kind_A").set_value("File").run()
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


def test_without_a_trajectory_the_page_offers_to_make_one(open_page: Any, tiny_engine: Any) -> None:
    make_run(tiny_engine)  # keeps none
    at = open_page("flow")
    assert "No run with a trajectory yet" in html_of(at)
    assert len(at.get("plotly_chart")) == 1  # the time grids need no run
    at.text_input(key="flow_text").set_value("Hello you there.").run()
    at.slider(key="flow_steps").set_value(5).run()
    at.button(key="flow_make").click().run()
    until(at, lambda page: len(page.get("plotly_chart")) == 3)
    made = store.list_runs()[0]
    assert made.has_trajectory and made.settings["nfe_step"] == 5
    assert len(json.loads(at.get("plotly_chart")[0].proto.spec)["frames"]) == 6


def test_any_step_can_be_heard(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    at = open_page("flow", run=run.id)
    at.select_slider(key=f"step_{run.id}_0").set_value(2).run()
    at.button(key="decode").click().run()
    until(at, lambda page: len(page.get("audio")) == 1)
    assert not at.error


def test_decoding_the_last_state_gives_the_chunk(tiny_server: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    chunk = run.chunks[0]
    wave = tiny_engine.decode(chunk.trajectory.states[-1])
    scaled = wave * np.linalg.norm(chunk.wave) / np.linalg.norm(wave)
    assert np.abs(scaled - chunk.wave).max() < 0.02 * np.abs(chunk.wave).max()  # states are kept in half precision


@pytest.mark.parametrize("steps", [7, 8])
def test_time_grids_with_and_without_sway_and_epss(open_page: Any, steps: int) -> None:
    at = open_page("flow")
    at.slider(key="grid_steps").set_value(steps).run()
    names = [t["name"] for t in figure(at, -1)["data"]]
    assert names == ["uniform", "sway -1"] + (["EPSS", "EPSS + sway -1"] if steps == 7 else [])
    assert not at.exception
