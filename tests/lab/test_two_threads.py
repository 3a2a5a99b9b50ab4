"""Two threads over one cached text: wrong every time as in 1.1.18, and never with one lock."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from workbench.lab import two_threads
from workbench.lab.two_threads import as_in_1_1_18, lesson, lock_cost, sample


@pytest.fixture(scope="module")
def cfm(tiny_engine: Any) -> Any:
    return tiny_engine.loaded.cfm


def test_the_four_cases(cfm: Any) -> None:
    other_length, same_length, thread_local, locked = lesson(cfm)
    assert other_length.second.startswith("RuntimeError: Sizes of tensors must match")
    assert (same_length.first, same_length.second) == ("right", "the other's words")
    assert thread_local.is_right
    assert locked.is_right
    assert not other_length.is_right


def test_it_is_not_luck(cfm: Any) -> None:
    assert len({tuple((c.name, c.first, c.second) for c in lesson(cfm)) for _ in range(4)}) == 1


def test_the_model_is_left_as_it_was(cfm: Any) -> None:
    before, kind = sample(cfm, two_threads._FIRST), type(cfm.transformer)
    with as_in_1_1_18(cfm):
        assert type(cfm.transformer) is not kind
        cfm.transformer.text_cond = torch.ones(1)
        assert "text_cond" in vars(cfm.transformer), "one attribute of the one model, as in 1.1.18"
    assert type(cfm.transformer) is kind
    assert cfm.transformer.text_cond is None
    assert torch.equal(sample(cfm, two_threads._FIRST), before)


def test_the_price_of_the_lock_is_measured(cfm: Any) -> None:
    cost = lock_cost(cfm, rounds=1)
    assert set(cost) == {"parallel_seconds", "lock_seconds"}
    assert all(seconds > 0 for seconds in cost.values())
