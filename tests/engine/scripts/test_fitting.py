"""Passages in their times: by speed within limits, then by silence or later; and every deviation is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.scripts.conftest import QUICK, fulfilled
from workbench.engine.errors import SettingsError
from workbench.engine.scripts import Fit, compose, fit, rows_of_plan, rows_of_run
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.passages.planning import plan_script
from workbench.engine.text.preparing import prepare

WORDS = "The lake was calm today, and two white boats went by."


def prepared(words: str, voice: Any, settings: Any) -> Any:
    return prepare(words)


def planned(text: str, cast: Any, limits: Fit = Fit(), settings: SynthesisSettings = QUICK) -> tuple[Any, list[Any]]:
    request, voices = compose(text, cast, settings)
    fitted = fit(request, voices, prepared, limits=limits)
    return fitted, rows_of_plan(fitted, plan_script(fitted, voices, prepared))


def natural(cast: Any) -> float:
    (row,) = planned(f"[Nora] {WORDS}", cast)[1]
    return row.end


@pytest.mark.parametrize("factor", [0.67, 0.8, 1.0, 1.2, 1.42])
def test_within_the_limits_a_passage_fills_its_time(cast: Any, factor: float) -> None:
    wanted = natural(cast) * factor
    (row,) = planned(f"[Nora at=1 until={1 + wanted:.3f}] {WORDS}", cast)[1]
    assert (row.start, row.late_seconds, row.over_seconds) == (1.0, 0, 0)
    assert 0 <= row.silence_seconds < 0.05 and 0.7 <= row.speed <= 1.5


def test_what_is_too_long_is_spoken_at_the_fastest_and_said_to_be_over(cast: Any) -> None:
    (row,) = planned(f"[Nora at=0 until=1] {WORDS}", cast)[1]
    assert row.speed == 1.5 and row.over_seconds == pytest.approx(row.end - 1) and row.is_off


def test_what_is_too_short_is_spoken_at_the_slowest_and_silence_follows(cast: Any) -> None:
    first, second = planned(f"[Nora at=0 until=9] Come here.\n[Clara at=9 until=12] {WORDS}", cast)[1]
    assert first.speed == 0.7 and first.silence_seconds > 4 and second.start == 9.0 and not first.is_off


def test_a_late_passage_has_what_is_left_of_its_time_and_the_next_is_in_time_again(cast: Any) -> None:
    long = natural(cast)
    text = f"[Nora at=0 until=1] {WORDS}\n[Clara at=1 until={long + 1:.3f}] {WORDS}\n[Arthur at=20 until=24] {WORDS}"
    rows = planned(text, cast)[1]
    assert rows[1].late_seconds == pytest.approx(rows[0].end - 1) and rows[1].speed > 1.2
    assert rows[2].late_seconds == 0 and rows[2].start == 20.0


def test_the_speed_of_a_passage_is_what_the_limits_are_relative_to(cast: Any) -> None:
    (row,) = planned(f"[Nora speed=0.8 at=0 until=0.5] {WORDS}", cast)[1]
    assert row.speed == pytest.approx(1.2)


def test_off_keeps_every_speed(cast: Any) -> None:
    request, rows = planned(f"[Nora at=0 until=1] {WORDS}", cast, Fit.of("off"))
    assert rows[0].speed == 1.0 and rows[0].over_seconds > 0 and "speed" not in request.script.passages[0].settings


def test_pauses_keep_their_length(cast: Any) -> None:
    (row,) = planned(f"[Nora at=1 until=5] [pause 500ms] {WORDS} [pause 1s] {WORDS}", cast)[1]
    assert row.start == 1.5 and row.late_seconds == 0.5
    assert row.end <= 5.0 or row.speed == 1.5


def test_a_fitted_request_is_fitted(cast: Any) -> None:
    request, voices = compose(f"[Nora at=1 until=3] {WORDS}\n[Clara at=3 until=3.5] {WORDS}", cast, QUICK)
    once = fit(request, voices, prepared)
    assert once != request and fit(request, voices, prepared) == once


def test_an_untimed_script_comes_back_unchanged(cast: Any) -> None:
    request, voices = compose(f"[Nora] {WORDS} [Clara] {WORDS}", cast, QUICK)
    assert fit(request, voices, prepared) is request


def test_the_run_gets_what_the_plan_promised(tiny_engine: Any, cast: Any) -> None:
    request, voices = compose(f"[Nora at=0.5 until=2] {WORDS}\n[Clara at=4 until=5] Come.", cast, QUICK, model="tiny")
    fitted = fit(request, voices, tiny_engine.prepare)
    expected = rows_of_plan(fitted, plan_script(fitted, voices, tiny_engine.prepare))
    run = fulfilled(tiny_engine, fitted, voices, cast)
    assert rows_of_run(run) == expected and run.starts[-1] == 4 * run.sample_rate
    assert not run.wave[: run.sample_rate // 2].any()


@pytest.mark.parametrize("given", ["0.7", "a:b", "1.2:1.5", "0.7:0.9", "0.1:1", "1:4", ""])
def test_limits_make_sense(given: str) -> None:
    with pytest.raises(SettingsError):
        Fit.of(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Nora at=700] Hello there.", "700 s of silence would come before passage 1"),
        ("\n".join(f"[Nora at={k * 500}] Hello there." for k in range(9)), "The script would last 1.1 h"),
        ("[Nora at=90000] Hello there.", "at_seconds is 90000, out of its range"),
    ],
)
def test_silence_that_would_fill_the_memory_is_refused(cast: Any, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        planned(text, cast)
    assert said in str(error.value)


def test_another_take_of_another_length_moves_nothing_that_has_time(tiny_engine: Any, cast: Any) -> None:
    from workbench.engine.speech.requests import Remake

    text = (
        f"[Nora at=0.5 until=2] Come here.\n[Clara at=4 until=5] Why?\n[Nora] Well. [pause 1s]\n[Arthur at=9] {WORDS}"
    )
    request, voices = compose(text, cast, QUICK, model="tiny")
    run = fulfilled(tiny_engine, request, voices, cast)
    rate, last = run.sample_rate, len(run.chunks) - 1
    for words in ("Come here, all of you, now.", "Come over here."):
        again = fulfilled(
            tiny_engine, run.request.replace(remake=Remake(run.id, 0, None, words)), voices, cast, base=run
        )
        assert again.chunks[0].n_samples != run.chunks[0].n_samples
        assert again.starts == run.starts and len(again.wave) == len(run.wave)
    long = Remake(run.id, 1, None, "Why should I come there, or anywhere at all?")
    again = fulfilled(tiny_engine, run.request.replace(remake=long), voices, cast, base=run)
    firsts = [k for k, c in enumerate(run.chunks) if k == 0 or c.chunk.passage != run.chunks[k - 1].chunk.passage]
    assert again.starts[2] > run.starts[2], "what has no time follows"
    assert again.starts[firsts[-1]] == 9 * rate and last >= firsts[-1]
