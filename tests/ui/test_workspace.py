"""The workspace: the expected time, what is copied, what a change does, and the page Time."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.ui.helpers import html_of
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.costs import Expectation
from workbench.ui.style import duration
from workbench.ui.workspace import expected

TEXT = "One boat is here. Two boats are there."


@pytest.fixture
def saved(tiny_engine: Any, voice: Any) -> Any:
    run = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=4, max_chunk_bytes=20, seed=9))
    store.save_run(run)
    return run


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99.4, "99 s"), (100, "2 min"), (5_990, "1 h 40 min"),
     (12_000, "3 h 20 min")],
)  # fmt: skip
def test_a_duration_has_the_digits_that_matter(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_expected_time_says_what_it_rests_on() -> None:
    assert "time unknown" in expected.told(None)
    assert expected.told(Expectation(12.3, None, 1)) == "about 12 s, guessed from only 1 chunk on this machine"
    assert expected.told(Expectation(12.3, 2.6, 24)) == "about 12 s ± 2.6 s, from 24 chunks on this machine"
    assert expected.told(Expectation(0.9, 0.01, 4)) == "about 0.9 s, from 4 chunks on this machine"


def test_the_time_is_expected_before_the_button_is_pressed(open_page: Any, saved: Any) -> None:
    at = open_page()
    assert any(caption.value.startswith("about ") for caption in at.caption)


def test_before_any_run_the_page_says_why_there_is_no_time(open_page: Any) -> None:
    assert any("time unknown" in caption.value for caption in open_page().caption)


def test_a_waiting_job_says_how_long_the_others_take(saved: Any, open_page: Any, monkeypatch: Any) -> None:
    from workbench.engine.jobs.speech import SpeechJob
    from workbench.ui import resources

    open_page()  # the engine and what was measured
    jobs = [SpeechJob(saved.request) for _ in range(3)]
    for k, job in enumerate(jobs):
        job.created = float(k)
    monkeypatch.setattr(resources.job_manager(), "jobs", lambda: list(reversed(jobs)))
    monkeypatch.setattr(expected, "_of_request", lambda request: Expectation(20.0, 1.0, 9))
    assert [expected.of_queue(job) for job in jobs] == [0.0, 20.0, 40.0]


def test_run_and_form_are_copied_as_link_command_and_python(open_page: Any, saved: Any, voice: Any) -> None:
    at = open_page(run=saved.id)
    link, command, python = (code.value for code in at.code)
    assert link.endswith(f"/?run={saved.id}") and "load_voice" in python and "seed=9" in python
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "workbench", "synth"] and words[-1] == TEXT
    assert f"--voice={voice.name}" in words and "--seed=9" in words and "--nfe-step=4" in words
    at.text_area(key="text").set_value("Other words.").run()
    assert len(at.code) == 5 and at.code[3].value.endswith("'Other words.'"), "the form has its own, once it differs"


def test_a_change_is_named_and_one_click_goes_back(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    assert "Changed since" not in html_of(at)
    at.number_input(key="knob_seed").set_value(3).run()
    page = html_of(at)
    assert "Changed since this run:" in page and "Seed 3, was 9" in page and "grayscale" in page
    at.button(key="adopt_again").click().run()
    assert at.number_input(key="knob_seed").value == 9 and "grayscale" not in html_of(at)


def test_a_number_out_of_range_is_said_and_nothing_starts(open_page: Any) -> None:
    at = open_page()
    at.number_input(key="knob_seed").set_value(-5).run()
    assert at.number_input(key="knob_seed").value == -5
    assert "seed is -5" in at.error[0].value and at.button(key="go").disabled
    assert "A setting is out of its range" in html_of(at)  # beside the button: on a phone the settings are out of sight


def test_the_page_time_shows_stages_chunks_and_lengths(open_page: Any, saved: Any) -> None:
    at = open_page("time", run=saved.id)
    assert len(at.dataframe[0].value) == len(saved.chunks) and not at.error
    assert [m.label for m in at.metric][:2] == ["Speech", "First audio after"]
    assert len(at.get("plotly_chart")) >= 3
    stages, lines, _ = (json.loads(chart.proto.spec) for chart in at.get("plotly_chart")[:3])
    assert all(trace["showlegend"] is False for trace in stages["data"])  # named above it, where they wrap
    assert [t["type"] for t in lines["data"] if t.get("showlegend", True)].count("bar") == 0
    assert all(f"</span>{trace['name']}</span>" in html_of(at) for trace in stages["data"])
    assert {b.key for b in at.get("download_button")} == {"download_csv", "download_trace"}


def test_the_time_line_of_many_chunks_has_pages(open_page: Any, tiny_engine: Any, voice: Any) -> None:
    from workbench.ui.runs import time_view

    run = tiny_engine.run("One boat is here. " * 45, voice, SynthesisSettings(nfe_step=1, max_chunk_bytes=20))
    store.save_run(run)
    at = open_page("time", run=run.id)
    pages = at.selectbox(key=f"time_page_{run.id}")
    assert len(pages.options) == 2 and pages.options[1].startswith(f"{time_view.PAGE_CHUNKS + 1} to 45")
    pages.set_value(time_view.PAGE_CHUNKS).run()
    assert not at.exception and len(at.dataframe[0].value) == 45


def test_without_a_run_the_page_time_says_where_they_come_from(open_page: Any) -> None:
    at = open_page("time")
    assert "No run yet" in html_of(at)
    assert [link.proto.label for link in at.get("page_link")] == ["Synthesize", "Runs"]
