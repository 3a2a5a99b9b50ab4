"""A chunk made again with other seeds: all are takes, the best is chosen, by a measure; none where none is better."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.engine.errors import Cancelled, RunError, SettingsError
from workbench.engine.jobs import best as best_module
from workbench.engine.jobs.best import best_of, other_seeds, repair
from workbench.engine.measures.registry import INSTANT, SOUND, Measure
from workbench.engine.runs import store
from workbench.engine.runs.takes import choosing
from workbench.engine.settings import SynthesisSettings

TEXT = "The first sentence is here. The second one follows it."


@pytest.fixture
def saved(tiny_engine: Any, voice: Any) -> Any:
    run = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=1, max_chunk_bytes=30), save=False)
    store.save_run(run)
    return run


def judged(monkeypatch: pytest.MonkeyPatch, values: dict[int, float | None], better: str = "lower") -> list[Any]:
    """Let a made-up measure give each seed a value; returns the chunks that it was asked about."""
    asked: list[Any] = []

    def judge(sound: Any) -> float | None:
        asked.append(sound)
        return values[sound]

    monkeypatch.setattr(best_module, "sound_of", lambda run, result: result.seed)
    one = Measure("x", "", "About.", (SOUND,), "x", better, 2, (), INSTANT, "never.", None, judge)
    monkeypatch.setattr(best_module, "named", lambda names: [one])
    return asked


def test_the_best_seed_is_chosen_and_the_others_are_kept(pool: Any, saved: Any, monkeypatch: Any) -> None:
    present = saved.chunks[1].seed
    judged(monkeypatch, {present: 30.0, 5: 20.0, 6: 10.0, 7: 10.0})
    found = best_of(pool, saved.id, 1, [5, 6, 7])
    assert (found.seed, found.take, found.is_better) == (6, 3, True)
    assert found.values == {present: 30.0, 5: 20.0, 6: 10.0, 7: 10.0}
    takes = choosing.takes_of(saved.id).of(1)
    assert [take.measured.get("x") for take in takes] == [None, 20.0, 10.0, 10.0] and takes[2].is_chosen
    again = store.load_run(saved.id)
    assert [c.seed for c in again.chunks] == [saved.chunks[0].seed, 6]
    assert (again.chunks[0].wave == saved.chunks[0].wave).all()
    assert len(store.list_runs()) == 1


def test_nothing_is_chosen_where_none_is_better(pool: Any, saved: Any, monkeypatch: Any) -> None:
    present = saved.chunks[0].seed
    judged(monkeypatch, {present: 10.0, 5: 10.0, 6: None, 7: 11.0})
    found = best_of(pool, saved.id, 0, [5, 6, 7])
    assert (found.take, found.seed, found.is_better) == (1, present, False)
    assert store.load_run(saved.id).takes == () and choosing.takes_of(saved.id).count(0) == 4


def test_higher_can_be_better(pool: Any, saved: Any, monkeypatch: Any) -> None:
    judged(monkeypatch, {saved.chunks[0].seed: None, 5: 2.0, 6: 3.0}, "higher")
    assert best_of(pool, saved.id, 0, [5, 6]).seed == 6


def test_no_error_at_all_ends_the_search(pool: Any, saved: Any, monkeypatch: Any) -> None:
    asked = judged(monkeypatch, {saved.chunks[0].seed: 10.0, 5: 0.0, 6: 0.0})
    assert best_of(pool, saved.id, 0, [5, 6]).seed == 5 and len(asked) == 2


def test_several_chunks_end_in_one_run(pool: Any, saved: Any, monkeypatch: Any) -> None:
    first, second = (c.seed for c in saved.chunks)
    wanted = dict.fromkeys(other_seeds(first, 2) + other_seeds(second, 2), 5.0) | {first: 9.0, second: 9.0}
    judged(monkeypatch, wanted)
    told: list[tuple[int, int]] = []
    found = repair(pool, saved.id, [0, 1], n_seeds=2, on_try=lambda done, whole: told.append((done, whole)))
    assert [one.seed for one in found] == [other_seeds(first, 2)[0], other_seeds(second, 2)[0]]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert store.load_run(saved.id).takes == (2, 2)
    choosing.undo(saved.id)  # all of them are one step
    assert store.load_run(saved.id).takes == ()


def test_a_cancelled_search_keeps_what_was_made(pool: Any, saved: Any, monkeypatch: Any) -> None:
    first, second = (c.seed for c in saved.chunks)
    judged(monkeypatch, dict.fromkeys(other_seeds(first) + other_seeds(second), 1.0) | {first: 10.0, second: 10.0})

    def stop(done: int, whole: int) -> None:
        if done == 6:
            raise Cancelled()

    with pytest.raises(Cancelled):
        repair(pool, saved.id, [0, 1], on_try=stop)
    takes = choosing.takes_of(saved.id)
    assert (takes.count(0), takes.count(1), dict(takes.ledger.chosen)) == (5, 3, {0: 2})


def test_what_cannot_be_is_refused(pool: Any, saved: Any) -> None:
    with pytest.raises(SettingsError, match="level_dbfs"):
        best_of(pool, saved.id, 0, measure="level_dbfs")
    with pytest.raises(RunError, match="no chunk 10"):
        best_of(pool, saved.id, 9, measure="clipped_percent")
    assert len(set(other_seeds(2**31 - 1, 50))) == 50 and max(other_seeds(2**31 - 1, 50)) < 2**31
