"""Measures on the page: made on request, words marked, chunks with wrong words made again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.helpers import html_of, until
from workbench.engine import measures
from workbench.engine.asr import recogniser
from workbench.engine.asr.recogniser import Heard
from workbench.engine.measures import registry
from workbench.engine.measures.intelligibility import Step
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.ui.runs.measured_view import marked

TEXT = "The first sentence is here. The second one follows it."


@pytest.fixture
def saved(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    known = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda n: None if n in ("speechmos", "resemblyzer") else known(n))
    run = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=1, max_chunk_bytes=30), save=False)
    store.save_run(run)
    return run


def test_what_can_be_measured_is_and_the_rest_is_said(open_page: Any, saved: Any) -> None:
    at = open_page(run=saved.id)
    at.button(key=f"measure_{saved.id}").click().run()
    until(at, lambda page: any("Not measured" in c.value for c in page.caption))
    table = at.dataframe[0].value.set_index("measure")
    level = store.list_runs()[0].measured["level_dbfs"]
    assert table.loc["level"]["run"] == measures.get("level_dbfs").shown(level)
    assert "misleads" in table.loc["pace"]["what it says"]
    assert any("speechmos" in c.value for c in at.caption)
    runs = open_page("runs")
    assert any(measures.get("level_dbfs").title in frame.value.columns for frame in runs.dataframe)


def test_wrong_words_are_marked_and_made_again(
    open_page: Any, saved: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("jiwer", "whisper_normalizer", "faster_whisper"):
        pytest.importorskip(package)
    bad = saved.chunks[1].wave

    class Ears:
        def hear(self, wave: Any, rate: int, *, language: str = "") -> Heard:
            wrong = len(wave) == len(bad) and (wave == bad).all()
            first = len(wave) == len(saved.chunks[0].wave) and (wave == saved.chunks[0].wave).all()
            text = "The second <b>two</b>" if wrong else "The first sentence is here" if first else TEXT[28:]
            return Heard(text, "en", 0.9, "whisper-base", 0.1)

    monkeypatch.setattr(recogniser, "load_recogniser", lambda language: Ears())
    at = open_page(run=saved.id)
    at.button(key=f"measure_{saved.id}").click().run()
    until(at, lambda page: any("1 of 2 chunks" in w.value for w in page.warning))
    assert "<del" in html_of(at) and "<b>two" not in html_of(at)
    at.button(key=f"repair_{saved.id}").click().run()
    until(at, lambda page: any("A better take was chosen for chunk 2" in s.value for s in page.success))
    assert store.load_run(saved.id).takes[1] > 1 and len(store.list_runs()) == 1
    at.run()
    assert any("another take was chosen for chunk 2" in caption.value for caption in at.caption)


def test_words_are_marked_by_what_became_of_them() -> None:
    steps = [Step("same", "the <i>", "the <i>"), Step("wrong", "boat", "goat"), Step("missing", "by", ""),
             Step("repeated", "", "the")]  # fmt: skip
    found = marked(steps)
    assert found.startswith("the &lt;i&gt; <mark") and 'title="wrong: heard “goat”">boat</mark>' in found
    assert '<del title="missing">by</del>' in found and found.endswith('<ins title="repeated">the</ins>')
