"""What the player is told of a sound: addresses, places and lengths that equal the saved audio."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.ui.helpers import buttons_of, told_to_dock
from workbench import figures
from workbench.engine.errors import AudioError
from workbench.engine.jobs.speech import SpeechJob
from workbench.engine.runs import store as runs
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice
from workbench.ui import dock, resources
from workbench.ui.dock.store import SoundStore
from workbench.ui.routes import ROUTES

TEXT = "One two three. [pause 0.5s] Four five six. Seven eight nine."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


@pytest.fixture
def run(tiny_engine: Any) -> Any:
    return tiny_engine.run(TEXT, load_voice(list_voices()[0].name), QUICK)


def wav(seconds: float, level: float = 0.1) -> bytes:
    return to_bytes(np.full(round(seconds * 24_000), level, np.float32), 24_000)


def test_parts_of_a_run_lie_where_they_lie_in_its_wave(run: Any) -> None:
    sound = dock.of_run(run)
    assert sound.length == pytest.approx(len(run.wave) / run.sample_rate) and len(sound.urls) == len(run.chunks) > 2
    gaps = np.subtract(sound.starts[1:], np.add(sound.starts, sound.seconds)[:-1])
    assert gaps.max() == pytest.approx(0.5, abs=1e-4) and gaps.min() == pytest.approx(
        -QUICK.cross_fade_duration, abs=1e-4
    )
    for start, chunk in zip(sound.starts, run.chunks, strict=True):  # away from the cross-fades
        first, middle = round(start * run.sample_rate), len(chunk.wave) // 2
        assert np.array_equal(run.wave[first + middle : first + middle + 100], chunk.wave[middle : middle + 100])


def test_a_chunk_lies_on_the_timeline_of_its_run(run: Any) -> None:
    whole, one = dock.of_run(run), dock.of_chunk(run, 1)
    assert one.as_dict()["timeline"] == whole.as_dict()["timeline"] == whole.key
    assert (one.starts_at, one.first, one.urls[0]) == (whole.starts[1], 1, whole.urls[1])


def test_a_run_keeps_key_and_parts_when_its_job_has_ended(tiny_server: Any) -> None:
    voice = load_voice(list_voices()[0].name)
    job = resources.job_manager().submit(SpeechJob(resources.request(TEXT, voice, QUICK, "tiny")))
    assert dock.of_job(job).key == f"run:{job.id}"  # before anything is known of it
    job.wait()
    made, saved = dock.of_job(job), dock.of_run(runs.load_run(job.id))
    assert (made.key, made.seconds, made.starts, made.length) == (saved.key, saved.seconds, saved.starts, saved.length)
    assert [url.replace("/api/jobs/", "/api/runs/") for url in made.urls] == list(saved.urls)


def test_planned_parts_follow_those_that_are_made(tiny_server: Any, run: Any) -> None:
    job = SpeechJob(run.request)
    job.plan = tuple(chunk.chunk for chunk in run.chunks)
    empty = dock.of_job(job)
    assert empty.urls == () and len(empty.seconds) == len(run.chunks)
    job._on_chunk(run.chunks[0])
    job._on_chunk(run.chunks[2])  # the second one failed and is left out
    some = dock.of_job(job)
    assert len(some.urls) == 2 and len(some.seconds) == len(run.chunks) - 1
    assert some.seconds[1] == run.chunks[2].audio_seconds


def test_another_take_has_another_address(run: Any) -> None:
    again = dataclasses.replace(run.chunks[1], seed=run.chunks[1].seed + 1)
    other = dataclasses.replace(run, chunks=(run.chunks[0], again, *run.chunks[2:]))
    before, after = dock.of_run(run).urls, dock.of_run(other).urls
    assert [a == b for a, b in zip(before, after, strict=True)] == [k != 1 for k in range(len(before))]
    assert [url.partition("?")[0] for url in before] == [url.partition("?")[0] for url in after]


def test_kept_sounds_are_served_by_their_hash_alone(client: TestClient) -> None:
    sound = dock.of_bytes(wav(0.5), "x", timeline="run:y", starts_at=2.0)
    answer = client.get(sound.urls[0])
    assert answer.content == wav(0.5) and answer.headers["content-type"] == "audio/wav"
    assert answer.headers["x-content-type-options"] == "nosniff" and sound.seconds == (0.5,)
    assert dock.of_bytes(wav(0.5), "y").key == sound.key
    for path in ("x", "0" * 64, "../dock/dock.js", "0" * 5_000, sound.key.removeprefix("sound:").upper()):
        assert client.get(f"/api/sounds/{path}.wav").status_code == 404
    voice = load_voice(list_voices()[0].name)
    reference = dock.of_voice(voice)
    assert client.get(reference.urls[0]).status_code == 200 and reference.seconds[0] == pytest.approx(voice.seconds)


def test_what_is_no_sound_is_refused() -> None:
    with pytest.raises(AudioError):
        dock.of_bytes(b"RIFF, or so it says", "x")


def test_the_store_drops_what_was_used_longest_ago() -> None:
    each = len(wav(0.5))
    kept = SoundStore(limit_bytes=3 * each)
    names = [kept.put(wav(0.5, level))[0] for level in (0.1, 0.2, 0.3)]
    assert kept.get(names[0]) is not None
    new = kept.put(wav(0.5, 0.4))[0]
    assert [kept.get(name) is not None for name in (*names, new)] == [True, False, True, True]
    assert kept.n_bytes == 3 * each
    assert kept.get(kept.put(wav(9.0))[0]) is not None  # a sound above the limit is kept too
    assert kept.n_bytes == len(wav(9.0))


def test_scripts_of_the_player_are_never_old(client: TestClient) -> None:
    answer = client.get("/dock/dock.js")
    assert answer.headers["cache-control"] == "no-cache" and "javascript" in answer.headers["content-type"]
    again = client.get("/dock/dock.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for name in ("__init__.py", "../resources.py", "__pycache__", ""):
        assert client.get(f"/dock/{name}").status_code == 404, name


def test_a_figure_is_bound_without_losing_what_it_said() -> None:
    figure = figures.Figure(layout={"meta": {"mine": 1}})
    bound = dock.bind(figure, dock.Sound("k", "t", ("/a/0.wav", "/a/1.wav"), (1.0, 2.0), 0.5), starts_at=3.0)
    meta = json.loads(bound.to_json())["layout"]["meta"]
    assert meta["mine"] == 1 and meta["sound"]["figure_starts_at"] == 3.0
    assert (meta["sound"]["base"], meta["sound"]["urls"]) == ("/a/", ["0.wav", "1.wav"])
    assert (meta["sound"]["starts"], meta["sound"]["length"]) == ([0, 0.5], 2.5)


def script() -> None:
    """A page with a sound, a second one, and a button whose words are hostile."""
    from workbench.ui import dock

    first = dock.Sound("run:a", '"><script>alert(1)</script>', ("/a.wav",), (1.0,))
    dock.show(first, dock.Sound("run:b", "b", ("/b.wav",), (1.0,)), active=True, autoplay=True)
    dock.show(first)  # another part of the page shows the same run
    dock.button(first, "<b>Play</b>", key="one")
    dock.button(first, key="two", second=True, help="why")
    dock.play(first)


def test_a_page_shows_plays_and_draws_buttons() -> None:
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_function(script).run()
    assert not at.exception
    shown, again = told_to_dock(at, "show")
    assert again["show"] == shown["show"] and again["second"] is None
    assert (shown["show"]["key"], shown["second"]["key"], shown["active"], shown["autoplay"]) == (
        "run:a",
        "run:b",
        True,
        True,
    )
    assert [one["slot"] for one in buttons_of(at)] == ["A", "B"] and at.caption[0].value == "why"
    body = "".join(str(block.proto.body) for block in at.get("html"))
    assert "<script" not in body and "<b>" not in body and len(told_to_dock(at, "play")) == 1
