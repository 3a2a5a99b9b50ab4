"""Any sequence of takes, choices, undo and redo is that of a simple model; the run sounds as its chosen chunks do."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.runs.takes.test_choosing import assembled
from workbench.engine.errors import RunError
from workbench.engine.runs import store
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.ledger import Ledger, read_ledger, row_for, write_ledger
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.results import ChunkResult, Run

N_CHUNKS = 4
CHUNKS = st.integers(0, N_CHUNKS - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), CHUNKS),
        st.tuples(st.just("choose"), st.dictionaries(CHUNKS, st.integers(1, 4), min_size=1)),
        st.tuples(st.just("undo"), st.none()),
        st.tuples(st.just("redo"), st.none()),
    ),
    max_size=12,
)


class Model:
    """What a person expects: for each chunk a list of takes, and the states one after the other."""

    def __init__(self) -> None:
        self.counts = [1] * N_CHUNKS
        self.states, self.at = [(1,) * N_CHUNKS], 0

    def do(self, what: str, given: Any) -> bool:
        """Do it; whether it could be done."""
        if what == "add":
            self.counts[given] += 1
        elif what == "choose":
            if any(take > self.counts[chunk] for chunk, take in given.items()):
                return False
            after = tuple(given.get(k, take) for k, take in enumerate(self.states[self.at]))
            if after != self.states[self.at]:
                self.states, self.at = [*self.states[: self.at + 1], after], self.at + 1
        else:
            after = self.at + (1 if what == "redo" else -1)
            if not 0 <= after < len(self.states):
                return False
            self.at = after
        return True


@given(STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_is_that_of_the_model(
    saved: str, other: Callable[..., ChunkResult], steps: list[tuple[str, Any]]
) -> None:
    folder = store.run_folder(saved)
    (folder / "takes.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "takes", ignore_errors=True)
    first = store.load_run(saved)  # the example before this one left the sound of its own choice
    (folder / "audio.wav").write_bytes(to_bytes(first.wave, first.sample_rate))
    model, seeds = Model(), iter(range(100, 200))
    acts = {"choose": lambda given: choosing.choose(saved, given), "undo": lambda _: choosing.undo(saved),
            "redo": lambda _: choosing.redo(saved),
            "add": lambda chunk: choosing.add(saved, other(chunk, next(seeds)))}  # fmt: skip
    for what, given_ in steps:
        if model.do(what, given_):
            acts[what](given_)
        else:
            with pytest.raises(RunError):
                acts[what](given_)
    run, takes = store.load_run(saved), choosing.takes_of(saved)
    wanted = model.states[model.at]
    assert (run.takes or (1,) * N_CHUNKS) == wanted
    assert [takes.count(k) for k in range(N_CHUNKS)] == model.counts
    assert (takes.can_undo, takes.can_redo) == (model.at > 0, model.at < len(model.states) - 1)
    for k, take in enumerate(wanted):
        assert np.array_equal(run.chunks[k].wave, choosing.read_take(saved, k, take).wave)
    assert np.array_equal(run.wave, assembled(run))
    assert choosing.audio_file(saved).read_bytes() == to_bytes(run.wave, run.sample_rate)
    assert store.summarise(saved).seconds == run.audio_seconds


@given(STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ledger_comes_back_as_it_was_written(
    made: Run, other: Callable[..., ChunkResult], tmp_path: Path, steps: list[tuple[str, Any]]
) -> None:
    ledger = Ledger()
    for what, given_ in steps:
        with contextlib.suppress(RunError):
            if what == "add":
                ledger = ledger.with_take(given_, row_for(other(given_, 7)))
            else:
                change = {"choose": lambda g, now=ledger: now.choosing(g), "undo": lambda _, now=ledger: now.undone(),
                          "redo": lambda _, now=ledger: now.redone()}[what]  # fmt: skip
                ledger = change(given_)
    write_ledger(tmp_path, ledger)
    assert read_ledger(tmp_path, N_CHUNKS) == ledger
