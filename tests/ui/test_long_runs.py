"""Long runs in the pages: none of them reads a run as a whole; those that were stopped go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.helpers import html_of, until
from tests.ui.test_runs_page import tick
from workbench.engine import rules
from workbench.engine.errors import Cancelled
from workbench.engine.runs import store
from workbench.engine.runs.parts import making, unfinished
from workbench.engine.runs.parts.stored import StoredChunk
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import Run
from workbench.engine.speech.voices import load_voice

TEXT = "One boat is here. Two boats are there. Three more came. Four went away. Five stayed on. Six sank."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@pytest.fixture
def engine(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 3)
    monkeypatch.setattr(tiny_engine, "keep", store.save_run)
    monkeypatch.setattr(tiny_engine, "begin_long", making.begin)
    return tiny_engine


@pytest.fixture
def long_run(engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A saved long run; from here on nothing may join it."""
    run = engine.run(TEXT, load_voice("nature-en"), QUICK)
    assert isinstance(run.chunks[0], StoredChunk)

    def whole(self: Run) -> None:
        raise AssertionError("the run was read as a whole")

    for name in ("wave", "mel"):
        monkeypatch.setattr(Run, name, property(whole))
    return run


@pytest.mark.parametrize("view", ["synthesize", "runs", "spectrograms"])
def test_a_page_shows_a_long_run_without_reading_it_whole(open_page: Any, long_run: Any, view: str) -> None:
    at = open_page(view, run=long_run.id)
    if view == "runs":
        at = tick(at, long_run.id)
        assert any("runs export" in caption.value for caption in at.caption)
    if view == "synthesize":
        assert "One boat is here." in html_of(at) and not at.get("plotly_chart")
        labels = {button.label for button in at.get("download_button")}
        assert {"TextGrid", "Timings, CSV", "Trace"} <= labels and not {"WAV", "FLAC"} & labels
    assert not at.exception and not at.error


def test_two_of_them_are_compared_by_their_numbers(open_page: Any, engine: Any, long_run: Any) -> None:
    other = engine.run(TEXT, load_voice("nature-en"), QUICK.replace(seed=8))
    at = tick(open_page("runs"), long_run.id, other.id)
    assert any("not drawn as a whole" in caption.value for caption in at.caption)


def stopped(engine: Any) -> str:
    def on_step(progress: Any) -> None:
        if progress.chunk_index == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.run(TEXT, load_voice("nature-en"), QUICK, on_step=on_step)
    return unfinished.every()[0].id


def test_what_was_stopped_is_listed_and_goes_on(open_page: Any, engine: Any) -> None:
    left = stopped(engine)
    at = open_page("runs")
    assert any("2 of 6 chunks" in text.value for text in at.text)
    at.button(key=f"continue_{left}").click().run()
    until(at, lambda _: not unfinished.every())
    (run,) = store.list_runs()
    assert run.n_chunks == 6 and not at.exception


def test_what_was_stopped_can_be_deleted(open_page: Any, engine: Any) -> None:
    left = stopped(engine)
    at = open_page("runs")
    at.button(key=f"drop_{left}").click().run()
    assert unfinished.every() == [] and not at.exception and "unfinished" not in str([e.label for e in at.expander])


def test_a_damaged_one_can_only_be_deleted(open_page: Any, engine: Any) -> None:
    left = stopped(engine)
    Path(unfinished.folder_of(left), "request.json").write_bytes(b"{}")
    at = open_page("runs")
    assert at.button(key=f"continue_{left}").disabled
    at.button(key=f"drop_{left}").click().run()
    assert unfinished.every() == []
