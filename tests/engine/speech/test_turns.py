"""A wait that would never end raises a clear error at once; otherwise threads wait for each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from workbench.engine.errors import EngineError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import load_engine
from workbench.engine.speech.turns import Turn

FAST = SynthesisSettings(nfe_step=2)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", ["run", "synthesize", "decode"])
def test_the_engine_inside_of_its_own_step_is_an_error_at_once(tiny_engine: Any, voice: Any, what: str) -> None:
    import numpy as np

    again = {
        "run": lambda: tiny_engine.run("Hello there.", voice, FAST),
        "synthesize": lambda: next(tiny_engine.synthesize("Hello there.", voice, FAST)),
        "decode": lambda: tiny_engine.decode(np.zeros((8, 100), np.float32)),
    }
    with pytest.raises(EngineError, match="already speaking in this thread"):
        tiny_engine.run("Hello there.", voice, FAST, on_step=lambda progress: again[what]())
    assert tiny_engine.run("Hello there.", voice, FAST).chunks  # none the worse


def test_between_two_chunks_the_engine_may_be_used(tiny_engine: Any, voice: Any) -> None:
    inner = []
    tiny_engine.run(
        "Hello there.", voice, FAST, on_chunk=lambda _: inner.append(tiny_engine.run("Again.", voice, FAST))
    )
    assert len(inner) == 1


def test_another_thread_waits_for_its_turn() -> None:
    turn, order, inside = Turn(), [], threading.Event()

    def second() -> None:
        inside.wait(10)
        with turn:
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with turn:
        inside.set()
        thread.join(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


_FORKED = """
import os, signal
import torch
from workbench.engine.errors import EngineError
from workbench.engine.speech.turns import Turn, refuse_after_fork
turn = Turn()

def attempt(act):
    try:
        act()
    except EngineError as error:
        return str(error)
    return "nothing was raised"

print(attempt(refuse_after_fork), "|", attempt(turn.__enter__), flush=True)
if os.fork() == 0:
    signal.alarm(20)  # the turn is held: without a check this would wait for ever
    print(attempt(turn.__enter__), "|", attempt(refuse_after_fork), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.slow
def test_after_a_fork_the_engine_refuses_instead_of_hanging() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, timeout=60)
    before, after = done.stdout.splitlines()
    assert before.count("nothing was raised") == 2
    used, loaded = after.split("|")
    assert "loaded before a fork" in used and "forked from one" in loaded and after.count("spawn") >= 2


def test_loading_refuses_in_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.speech.turns._forked_with_torch", True)
    with pytest.raises(EngineError, match="forked"):
        load_engine("demo-voice")
