"""A text over several workers has the samples of one, also when a worker is lost or the whole is stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from tests.engine.sweeps.conftest import FIXED, small
from workbench.engine import rules
from workbench.engine.errors import Cancelled, EngineError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs.store import load_run, save_run
from workbench.engine.scripts import Cast, compose
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import load_voice
from workbench.engine.sweeps import open_sweep, spread
from workbench.engine.sweeps.executors import executor
from workbench.engine.sweeps.executors.local import Local
from workbench.engine.sweeps.worker import Outcome, Task

WORDS = " ".join(f"Sentence number {k} is this one." for k in range(100))


def asked(text: str = WORDS) -> SpeechRequest:
    """A request for ``text`` in small chunks of the tiny model."""
    (trial,) = open_sweep(small({"seed": [3]}, fixed=FIXED | {"text": text, "max_chunk_bytes": 40})).trials
    return trial.request.replace(sweep="")


class Backwards:
    """Speaks tasks here, in groups of three that come in reverse order; notes what it was given."""

    def __init__(self, fails: str = "") -> None:
        self.keys: list[str] = []
        self._fails = fails

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        self.keys = [task.key for task in tasks]
        for first in range(0, len(tasks), 3):
            for task in tasks[first : first + 3][::-1]:
                check()
                if task.key == self._fails:
                    yield Outcome(task.key, error="it has no memory.")
                    return
                yield from Local().run([task])


def test_chunks_that_come_in_any_order_are_joined_in_theirs(tiny_home: Any) -> None:
    text = " ".join(WORDS.split(". ")[:7]) + "."
    alone = EnginePool().speak(asked(text))
    order: list[int] = []
    run = spread.speak(EnginePool(), asked(text), Backwards(), on_chunk=lambda result: order.append(result.chunk.index))
    assert order == list(range(len(alone.chunks))) and len(order) > 3
    assert np.array_equal(run.wave, alone.wave) and run.total_seconds > 0
    assert {span.chunk_index for span in run.spans if span.name == "ode"} == set(order)


def test_a_script_is_spread_with_the_voice_and_settings_of_each_passage(tiny_home: Any) -> None:
    text = "[Nora] One boat. Two boats. [Clara speed=0.9 nfe=1] Three of them. [Nora seed=5] And four."
    voices = {name: load_voice(name) for name in ("Nora", "Clara")}
    plain = asked()
    request, _ = compose(text, Cast(voices["Nora"]), plain.settings, model=plain.model, load=plain.load)
    alone = EnginePool().speak(request)
    run = spread.speak(EnginePool(), request, Backwards())
    assert len(run.chunks) >= 3 and np.array_equal(run.wave, alone.wave) and run.request.script == alone.request.script


def test_a_stopped_long_run_costs_the_workers_what_is_missing(tiny_home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 5)
    text = ". ".join(WORDS.split(". ")[:12])
    whole = EnginePool().speak(asked(text), run_id="20260101-000000-aaaaa00000000")
    save_run(whole)
    first, n_chunks = Backwards(fails="7"), len(whole.chunks)
    with pytest.raises(EngineError, match=r"Chunk 8 could not be made by a worker: it has no memory\."):
        spread.speak(EnginePool(), asked(text), first)
    again = Backwards()
    run = spread.speak(EnginePool(), asked(text), again)
    assert len(first.keys) == n_chunks and 0 < len(again.keys) < n_chunks
    assert load_run(save_run(run).name).wave.tobytes() == load_run(whole.id).wave.tobytes()


def test_a_stop_is_passed_on(tiny_home: Any) -> None:
    def check() -> None:
        raise Cancelled()

    with pytest.raises(Cancelled):
        spread.speak(EnginePool(), asked("A text. And more."), Backwards(), check=check)


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["process", "ray"])
def test_a_chapter_over_two_workers_is_that_of_one(tiny_home: Any, name: str) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="ray is not installed (requirements-cluster.txt)")
    import torch

    alone = load_run(save_run(EnginePool().speak(asked())).name)
    pids: list[int] = []

    class Killing:
        """The executor, whose first worker dies early."""

        def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
            for outcome in executor(name, 2, threads=torch.get_num_threads()).run(tasks, check):
                if not pids:
                    os.kill(outcome.worker["pid"], signal.SIGKILL)
                pids.append(outcome.worker["pid"])
                yield outcome

    run = spread.speak(EnginePool(), asked(), Killing())
    assert len(run.chunks) == len(alone.chunks) >= 100
    assert run.wave.tobytes() == alone.wave.tobytes() and len(set(pids)) >= 2
