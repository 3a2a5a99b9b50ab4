"""The stops: what they ask needs a prediction, and what they say is measured in the run they are given."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.classroom.mels import likeness
from workbench.classroom.stops import STOPS
from workbench.classroom.values import first, unfit
from workbench.engine.runs.store import load_run, save_run
from workbench.engine.timing import REUSED, total

ROOT = Path(__file__).resolve().parents[2]
BY_KEY = {stop.key: stop for stop in STOPS}


def test_there_are_eight_in_the_order_of_the_sound() -> None:
    assert [stop.key for stop in STOPS] == ["text", "bytes", "chunks", "noise", "flow", "vocoder", "time", "loading"]
    for stop in STOPS:
        assert (ROOT / "notebooks" / f"{stop.lesson.stem}.ipynb").exists()
        assert (ROOT / "workbench" / "ui" / "views" / f"{stop.page[0]}.py").exists()


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.key)
def test_it_asks_and_answers_in_three_sentences(stop: Any, class_run: Any, tiny_engine: Any) -> None:
    question = stop.ask(class_run)
    found = stop.measure(class_run, lambda model: tiny_engine)
    assert question.text.endswith("?") and question.low <= found.value <= question.high
    assert len(found.why) == 3 and all(sentence.rstrip().endswith((".", ")")) for sentence in found.why)
    assert found.evidence and all(value for _, value in found.evidence)
    for _, mel in found.pictures:
        assert mel.ndim == 2 and mel.shape[1] == 100


def test_the_numbers_are_those_of_the_run(class_run: Any, tiny_engine: Any) -> None:
    values = {key: stop.measure(class_run, lambda model: tiny_engine).value for key, stop in BY_KEY.items()}
    one = class_run.chunks[0]
    assert values["chunks"] == len(class_run.chunks) >= 3
    assert values["bytes"] == one.audio_seconds
    assert values["text"] > len(one.chunk.text)
    assert values["noise"] == likeness(one.trajectory.states[0], one.trajectory.states[-1])
    assert 0 <= values["flow"] <= class_run.settings.nfe_step
    spent = sum(total(class_run.spans, name) for name in ("text", "ode", "vocoder"))
    assert values["time"] == pytest.approx(100 * total(class_run.spans, "ode") / spent)


def test_another_run_gives_other_numbers(class_run: Any, tiny_engine: Any, voice: Any) -> None:
    other = tiny_engine.run("A word.", voice, class_run.settings.replace(seed=9), save=False)
    for key in ("bytes", "chunks", "noise"):
        stop = BY_KEY[key]
        assert stop.measure(other, None).value != stop.measure(class_run, None).value
        assert stop.ask(other).text != stop.ask(class_run).text or key == "noise"


def test_a_run_that_cannot_be_measured_says_why(class_run: Any, _own_home: Any) -> None:
    assert unfit(class_run, needs_states=True) == ""
    save_run(class_run)
    bare = load_run(class_run.id, trajectories=False)
    assert "states" in unfit(bare, needs_states=True) and unfit(bare) == ""
    timing = dataclasses.replace(class_run.chunks[0].timing, made=REUSED)
    chunk = dataclasses.replace(class_run.chunks[0], timing=timing)
    reused = dataclasses.replace(class_run, chunks=(chunk, *class_run.chunks[1:]))
    assert "earlier run" in unfit(reused)
    assert first(bare) is bare.chunks[0]


def test_likeness_is_a_correlation() -> None:
    wave = np.sin(np.arange(1000) / 7)
    assert likeness(wave, 3 * wave + 2) == pytest.approx(100)
    assert likeness(wave, -wave) == pytest.approx(-100)
    assert likeness(wave, np.ones(1000)) == 0.0
    assert abs(likeness(wave, np.random.default_rng(0).standard_normal(1000))) < 12
