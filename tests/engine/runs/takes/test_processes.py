"""Takes under several processes, and under ones that are killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from tests.engine.runs.takes.test_choosing import assembled
from workbench.engine.runs import store
from workbench.engine.runs.takes import choosing
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.results import ChunkResult, Run

# imports no torch, so that it begins at once
SCRIPT = """
import dataclasses, sys, numpy as np
from workbench.engine.runs import store
from workbench.engine.runs.takes import choosing
run_id, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
old = choosing.read_take(run_id, 2, 1)
print("ready", flush=True)
for k in range(count):
    wave = np.full(4_000 + 256 * k, seed / 1000, np.float32)
    chunk = dataclasses.replace(old.chunk, seed=seed + k)
    take = choosing.add(run_id, dataclasses.replace(old, chunk=chunk, seed=seed + k, wave=wave))
    choosing.choose(run_id, {2: take.number})
    if k % 3 == 2:
        choosing.undo(run_id)
    print(k, flush=True)
print("torch" in sys.modules)
"""


def started(run_id: str, seed: int, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, run_id, str(seed), str(count)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_two_processes_lose_no_take_of_each_other(saved: str, made: Run) -> None:
    both = [started(saved, seed, 5) for seed in (10, 50)]
    assert [process.communicate(timeout=50)[0].split()[-1] for process in both] == ["False"] * 2
    takes = choosing.takes_of(saved).of(2)
    assert sorted(take.seed for take in takes[1:]) == [*range(10, 15), *range(50, 55)]
    for take in takes[1:]:
        wave = choosing.read_take(saved, 2, take.number).wave
        assert wave[0] == np.float32((10 if take.seed < 50 else 50) / 1000) and len(wave) >= 4_000
    assert choosing.audio_file(saved).read_bytes() == to_bytes(store.load_run(saved).wave, 24_000)


def test_a_process_that_is_killed_leaves_the_old_state_or_the_new_one(
    saved: str, made: Run, other: Callable[..., ChunkResult]
) -> None:
    chance, n_before = random.Random(5), 0
    for turn in range(5):
        process = started(saved, 100 * turn, 90)
        assert process.stdout is not None and process.stdout.readline() == "0\n"
        time.sleep(chance.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        takes = choosing.takes_of(saved)
        assert takes.count(2) >= n_before
        n_before = takes.count(2)
        run = store.load_run(saved)
        for take in takes.of(2):
            assert np.isfinite(choosing.read_take(saved, 2, take.number).wave).all()
        assert np.array_equal(run.wave, assembled(run))
        assert choosing.audio_file(saved).read_bytes() == to_bytes(run.wave, run.sample_rate)
        assert np.array_equal(choosing.read_take(saved, 2, 1).wave, made.chunks[2].wave)
    assert n_before > 5
    added = choosing.add(saved, other(2, 999))  # and it goes on
    assert choosing.choose(saved, {2: added.number}).of(2)[-1].is_chosen
    assert [run.id for run in store.list_runs()] == [saved] and store.broken_runs() == []
