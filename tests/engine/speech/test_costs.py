"""The cost model recovers known coefficients, is never negative, and gives a matching recommendation."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech import costs
from workbench.engine.speech.costs import CostModel, Option, Point, Prediction
from workbench.engine.speech.text import plan_chunks
from workbench.engine.speech.voices import Voice, make_voice

COSTS = st.floats(0, 10)
WORDS = " ".join(["The boat was heavy, and the water was low."] * 12)
REFERENCE = "Some call me nature, others call me mother nature."


def _points(cost: CostModel, sizes: list[int], n_passes: int = 14) -> list[Point]:
    return [Point(n, n // 2, cost.seconds(n), n_passes, "r") for n in sizes]


@settings(deadline=None)
@given(COSTS, st.floats(0, 0.05), st.floats(0, 1e-4))
def test_a_known_cost_is_found_again(fixed: float, linear: float, quadratic: float) -> None:
    true = CostModel(fixed, linear, quadratic)
    found = costs.fit(_points(true, [200, 500, 900, 1400, 2000]), 14)
    assert found is not None
    for frames in (300, 700, 1800):
        assert found.seconds(frames) == pytest.approx(true.seconds(frames), rel=1e-3, abs=1e-3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(100, 4000), st.floats(0.01, 100)), min_size=3, max_size=30))
def test_no_part_is_ever_negative(measured: list[tuple[int, float]]) -> None:
    found = costs.fit([Point(n, n, s, 14, "r") for n, s in measured], 14)
    if found is not None:
        assert min(found.fixed, found.linear, found.quadratic) >= 0


def test_too_little_is_not_enough() -> None:
    cost = CostModel(1, 0.01, 0)
    assert costs.fit([], 14) is None
    assert costs.fit(_points(cost, [500, 900]), 14) is None
    assert costs.fit(_points(cost, [500, 500, 500]), 14) is None


def test_other_numbers_of_passes_stand_in_scaled() -> None:
    cost = CostModel(0, 0.01, 0)
    found = costs.fit(_points(cost, [200, 600, 1000], n_passes=14), 28)
    assert found is not None and found.seconds(800) == pytest.approx(16, rel=1e-3)


def test_passes_count_guidance_and_the_solver() -> None:
    assert costs.passes(SynthesisSettings(nfe_step=7)) == 14
    assert costs.passes(SynthesisSettings(nfe_step=7, cfg_strength=0.0)) == 7
    assert costs.passes(SynthesisSettings(nfe_step=8, ode_method="rk4")) == 64


def test_smaller_chunks_spend_more_on_the_reference() -> None:
    shares = []
    for size in (40, 80, 160, 400):
        plan = plan_chunks(WORDS, REFERENCE, 24_000 * 5, SynthesisSettings(max_chunk_bytes=size))
        shares.append(costs.reference_share(plan))
        prediction = costs.predict(plan, CostModel(0.1, 0.01, 0), 93.75)
        assert prediction.total_seconds == pytest.approx(sum(prediction.chunk_seconds))
        assert prediction.first_seconds == prediction.chunk_seconds[0]
    assert shares == sorted(shares, reverse=True) and 0 < shares[-1] < shares[0] < 1


def test_the_recommendation_takes_the_earliest_of_the_cheap() -> None:
    def option(size: int, longest: float, total: float, first: float) -> Option:
        return Option(size, 1, longest, Prediction(total, first, (first,), 0.3, 10))

    options = [option(50, 8, 30, 2), option(100, 12, 21, 4), option(200, 20, 20, 8), option(400, 40, 19.5, 19)]
    chosen = costs.recommend(options, 30.0)
    assert chosen.max_bytes == 100 and "21.0 s in total" in chosen.reason and "left out" in chosen.reason
    assert costs.recommend(options[3:], 30.0).max_bytes == 400


def test_a_scan_plans_every_size_with_the_same_cost() -> None:
    cost = CostModel(0.5, 0.001, 1e-6)
    found = costs.scan(partial(plan_chunks, WORDS, REFERENCE, 24_000 * 5), SynthesisSettings(), [40, 120, 400], cost)
    assert [o.max_bytes for o in found] == [40, 120, 400]
    assert found[0].n_chunks > found[1].n_chunks > found[2].n_chunks
    for option in found:
        plan = plan_chunks(WORDS, REFERENCE, 24_000 * 5, SynthesisSettings(max_chunk_bytes=option.max_bytes))
        assert option.prediction == costs.predict(plan, cost, 93.75) and option.n_chunks == len(plan)


def test_a_scan_counts_what_the_engine_will_make(tiny_engine: Any, voice: Voice) -> None:
    """A long silence in the reference does not slow the speech, and numbers are spoken as words: in the cost too."""
    half = len(voice.audio) // 2
    halting = np.concatenate([voice.audio[:half], np.zeros(3 * 24_000, np.float32), voice.audio[half:]])
    speaker = make_voice(to_bytes(halting, 24_000), voice.ref_text)
    text = "In 1984 there were 23,000 boats on the water. " * 6
    settings, window = SynthesisSettings(max_chunk_bytes=140), tiny_engine.loaded.window_frames
    prepared = tiny_engine.prepare(text, speaker, settings)
    (option,) = costs.scan(partial(speaker.plan, prepared, window_frames=window), settings, [140], CostModel(0, 1, 0))
    planned = tiny_engine.plan(text, speaker, settings)
    assert option.n_chunks == len(planned)
    assert option.prediction.total_seconds == sum(chunk.duration_frames for chunk in planned)
    slow = plan_chunks(text, speaker.ref_text, len(speaker.audio), settings)
    assert sum(c.duration_frames for c in slow) != option.prediction.total_seconds  # the test is one


def test_several_numbers_of_passes_are_one_law() -> None:
    """Two scales of it, not two laws: a fit at 4 steps and one at 16 agree on what does not grow with the steps."""

    def seconds(frames: int, n_passes: int) -> float:
        return 0.2 + 1e-4 * frames + n_passes * (2e-3 + 4e-5 * frames + 3e-9 * frames**2)

    points = [Point(n, n // 2, seconds(n, k), k, f"{k}") for k in (8, 14, 64) for n in (200, 500, 900, 1600)]
    for n_passes in (8, 14, 32, 64):
        found = costs.fit(points, n_passes)
        assert found is not None and found.n_points == len(points)
        for frames in (300, 1000):
            assert found.seconds(frames) == pytest.approx(seconds(frames, n_passes), rel=0.02)
        assert found.error < 0.02 * seconds(1600, n_passes)


def test_the_expected_time_has_an_error_that_covers_what_is_measured() -> None:
    rng = np.random.default_rng(0)
    plan = plan_chunks(WORDS, REFERENCE, 24_000 * 5, SynthesisSettings(max_chunk_bytes=80))
    cost = CostModel(0.1, 2e-3, 1e-7)
    points = [
        Point(int(n), 100, cost.seconds(float(n)) * busy * rng.normal(1, 0.05), 14, f"run {k}")
        for k, busy in enumerate(rng.normal(1, 0.2, 12))
        for n in rng.integers(300, 1500, 6)
    ]
    found = costs.expect(plan, points, 14)
    true = sum(cost.seconds(chunk.duration_frames) for chunk in plan)
    assert found is not None and found.error is not None and found.n_points == len(points)
    assert 0.1 * true < found.error < 0.4 * true and abs(found.seconds - true) < 2 * found.error
    assert costs.expect(plan, [], 14) is None
    alike = [Point(500, 200, 1.0, 14, "one")]
    rough = costs.expect(plan, alike, 28)
    assert (
        rough is not None
        and rough.error is None
        and rough.seconds == pytest.approx(sum(c.duration_frames for c in plan) / 250)
    )
