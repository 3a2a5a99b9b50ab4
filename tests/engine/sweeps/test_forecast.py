"""The predicted time of a sweep: one plan for trials that differ only in their noise."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.sweeps import forecast
from workbench.engine.sweeps.grid import Trial


def trials(voice: Any, seeds: int, repeats: int) -> list[Trial]:
    def request(size: int, seed: int) -> SpeechRequest:
        settings = SynthesisSettings(nfe_step=2, max_chunk_bytes=size, seed=seed)
        return SpeechRequest("One boat is here. " * 12, voice.ref, settings, sweep="s")

    return [Trial(f"{size} {seed} {repeat}", request(size, seed), {"seed": seed}, repeat)
            for size in (40, 90) for seed in range(seeds) for repeat in range(repeats)]  # fmt: skip


def test_seeds_and_repeats_share_one_plan(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Two boats are there. " * 6
    for size in (30, 90):
        store.save_run(tiny_engine.run(text, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=size)))
    points = forecast.measured_points("tiny")
    monkeypatch.setattr(forecast, "measured_points", lambda model: points)
    plan, planned = type(voice).plan, []
    monkeypatch.setattr(type(voice), "plan", lambda self, *given: planned.append(given) or plan(self, *given))
    wanted = trials(voice, 5, 4)
    found = forecast.predicted_seconds(wanted, {voice.id: voice})
    assert found is not None and len(planned) == 2
    one = forecast.predicted_seconds(wanted[::20], {voice.id: voice})
    assert one is not None and found == pytest.approx(20 * one)
    assert forecast.predicted_seconds([], {}) == 0.0
