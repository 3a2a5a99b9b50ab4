"""Flow: states of one or two runs, their sounds decoded ahead, a plane, and runs made on the page."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.ui.helpers import html_of, until
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice
from workbench.ui.flow import sounds, stage
from workbench.ui.flow.making import first_sentence
from workbench.ui.flow.states import Flow

TEXT = "One two three, four five. Six seven eight. Nine ten."


def make_run(engine: Any, text: str = TEXT, **changes: Any) -> Any:
    chosen = SynthesisSettings(nfe_step=4, max_chunk_bytes=24).replace(**changes)
    run = engine.run(text, load_voice(list_voices()[0].name), chosen)
    store.save_run(run)
    return run


def figure(at: Any, index: int = 0) -> Any:
    return json.loads(at.get("plotly_chart")[index].proto.spec)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the page hands to the browser: flows, sounds and pictures."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        stage, "_stage", lambda key, data: seen.append(json.loads(data["about"]) | {"pictures": data["pictures"]})
    )
    return seen


def test_without_a_trajectory_the_page_makes_one_of_the_document(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine)  # keeps none
    at = open_page("flow", run=run.id)
    assert "No run with its states yet" in html_of(at) and at.info
    assert len(at.get("plotly_chart")) == 1  # the time grids need no run
    (text,) = [t for t in at.text_input if t.key.startswith("flow_text")]
    assert text.value == run.chunks[0].chunk.text  # one chunk of the run you hear
    at.slider(key="flow_steps").set_value(5).run()
    at.button(key="flow_make").click().run()
    until(at, lambda page: len(page.get("plotly_chart")) == 3)
    made = store.load_run(store.list_runs()[0].id)
    assert made.settings.nfe_step == 5 and len(made.chunks) == 1 and made.voice == run.voice
    assert at.query_params["run"] in (made.id, [made.id])


def test_it_opens_at_noise_and_every_state_gets_its_sound_ahead(
    open_page: Any, tiny_engine: Any, shown: list[dict[str, Any]]
) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    at = open_page("flow", run=run.id)
    until(at, lambda page: all(shown[-1]["flows"][0]["sounds"]))
    (flow,) = shown[-1]["flows"]
    assert flow["steps"] == [0, 1, 2, 3, 4] and flow["times"][0] == 0 and flow["times"][-1] == 1
    assert flow["sounds"][-1]["key"] == f"run:{run.id}:0"  # the last state is the chunk itself
    assert {sound["timeline"] for sound in flow["sounds"]} == {f"run:{run.id}"}
    assert len({sound["key"] for sound in flow["sounds"]}) == 5
    assert shown[-1]["ticks"][0] == 100 and shown[-1]["top"] - shown[-1]["low"] == 80
    assert len(shown[-1]["palette"]) == 768
    assert not at.exception


def test_two_flows_share_the_slider_the_colours_and_the_plane(
    open_page: Any, tiny_engine: Any, shown: list[dict[str, Any]]
) -> None:
    a, b = (make_run(tiny_engine, keep_trajectory=True, nfe_step=n, seed=n) for n in (6, 3))
    at = open_page("flow", run=a.id, b=b.id)
    assert [flow["letter"] for flow in shown[-1]["flows"]] == ["A", "B"]
    assert [flow["n_steps"] for flow in shown[-1]["flows"]] == [6, 3] and len(shown[-1]["pictures"]) == 2
    assert shown[-1]["by_time"]
    at.button_group(key="flow_by").set_value("step").run()
    assert not shown[-1]["by_time"]
    plane, speeds = figure(at, 0), figure(at, 1)
    assert [trace["name"] for trace in plane["data"]] == ["A", "B"] and plane["layout"]["meta"] == {"flow": "plane"}
    assert (
        speeds["layout"]["meta"] == {"flow": "time"}
        and "% of the variance" in plane["layout"]["xaxis"]["title"]["text"]
    )
    assert any("of the variance" in c.value for c in at.caption)


def test_a_second_flow_differs_in_what_was_changed(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, "Hello you there.", keep_trajectory=True)
    at = open_page("flow", run=run.id)
    assert at.button(key="second_make").disabled
    at.number_input(key="second_seed").set_value(41).run()
    at.button(key="second_make").click().run()
    until(at, lambda page: "b" in page.query_params)
    made = store.load_run(store.list_runs()[0].id)
    assert made.settings == run.settings.replace(seed=41) and made.chunks[0].trajectory is not None
    assert figure(at, 0)["data"][1]["name"] == "B"


def test_a_link_to_a_damaged_trajectory_is_told(open_page: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    (store.run_folder(run.id) / "trajectories.npz").write_bytes(b"PK")
    at = open_page("flow", run=run.id)
    assert not at.exception and at.error and len(at.get("plotly_chart")) == 1


# Sounds --------------------------------------------------------------------------------------------------------------


def test_decoding_the_last_state_gives_the_chunk(tiny_server: Any, tiny_engine: Any) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    chunk = run.chunks[0]
    wave = tiny_engine.decode(chunk.trajectory.states[-1])
    scaled = wave * np.linalg.norm(chunk.wave) / np.linalg.norm(wave)
    assert np.abs(scaled - chunk.wave).max() < 0.02 * np.abs(chunk.wave).max()  # states are kept in half precision


def test_no_state_is_louder_than_the_chunk(tiny_server: Any, tiny_engine: Any) -> None:
    from workbench.engine.signal import audio

    run = make_run(tiny_engine, keep_trajectory=True)
    flow = Flow("A", dataclasses.replace(run, request=run.request.replace(model="tiny")), 0)
    told: list[float] = []
    job: Any = SimpleNamespace(report=lambda share, doing: told.append(share))
    waves = [audio.read_audio(wav, 24_000) for wav in sounds.decode(job, flow, [0, 2])]
    assert told == [0.0, 0.5]
    assert all(audio.rms(wave) <= 1.01 * audio.rms(flow.chunk.wave) for wave in waves)


def test_of_a_long_chunk_fewer_states_are_decoded_but_both_ends(tiny_engine: Any) -> None:
    run = make_run(tiny_engine, keep_trajectory=True)
    chunk = run.chunks[0]
    states = np.repeat(chunk.trajectory.states[:1], 65, axis=0)
    long = dataclasses.replace(
        chunk, wave=np.zeros(24_000 * 20, np.float32), trajectory=dataclasses.replace(chunk.trajectory, states=states)
    )
    chosen = sounds.decoded(Flow("A", dataclasses.replace(run, chunks=(long,)), 0))
    assert chosen[0] == 0 and chosen[-1] == 64 and len(chosen) == 12
    assert len(chosen) * 20 <= sounds.MAX_SECONDS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One two. Three.", "One two."),
        ("Pi is 3.14 and more! Yes.", "Pi is 3.14 and more!"),
        ("no end", "no end"),
        ("  \n ", ""),
        ("x" * 900, "x" * 300),
    ],
)
def test_the_first_sentence_is_enough(text: str, said: str) -> None:
    assert first_sentence(text) == said


@pytest.mark.parametrize("steps", [7, 8])
def test_time_grids_with_and_without_sway_and_epss(open_page: Any, steps: int) -> None:
    at = open_page("flow")
    at.slider(key="grid_steps").set_value(steps).run()
    names = [t["name"] for t in figure(at, -1)["data"]]
    assert names == ["uniform", "sway -1"] + (["EPSS", "EPSS + sway -1"] if steps == 7 else [])
    assert not at.exception
