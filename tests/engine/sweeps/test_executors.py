"""Workers in other processes: each loads once, one that dies costs its task, and what they speak is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.sweeps.conftest import FIXED, small
from workbench.engine.errors import Cancelled, SettingsError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs.store import list_runs, load_run
from workbench.engine.sweeps import find_sweep, open_sweep
from workbench.engine.sweeps.executors import executor
from workbench.engine.sweeps.executors.local import Local
from workbench.engine.sweeps.executors.process import Processes
from workbench.engine.sweeps.worker import Outcome, Task

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
SEEDS = {"seed": list(range(24))}


@pytest.fixture(params=["process", "ray"])
def two(request: pytest.FixtureRequest, tiny_home: Path) -> Any:
    """Two workers of one thread, in processes or on a Ray of this machine."""
    if request.param == "ray":
        pytest.importorskip("ray", reason="ray is not installed (requirements-cluster.txt)")
    return executor(request.param, 2, threads=1)


def waves() -> dict[int, bytes]:
    """Seed of each run to its samples."""
    return {run.settings["seed"]: load_run(run.id).wave.tobytes() for run in list_runs()}


def kill_the_first(pids: set[int]) -> Callable[[Any], None]:
    """Kills the worker of the second record, once."""

    def on_record(record: Any) -> None:
        pids.add(record.worker["pid"])
        if len(pids) == 2 and not killed:
            killed.append(record.worker["pid"])
            os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    on_record.killed = killed  # type: ignore[attr-defined]
    return on_record


def test_two_workers_load_twice_and_speak_what_one_speaks(two: Any) -> None:
    rows = open_sweep(small(SEEDS)).run(two)
    loads = {row["worker_pid"]: row["worker_loads"] for row in rows}
    assert len(rows) == 24 == len(list_runs()) and os.getpid() not in loads
    assert sum(loads.values()) == 2 == len(loads)
    spread = waves()
    fixed = FIXED | {"nfe_step": 1}
    open_sweep(small(SEEDS, name="alone", fixed=fixed)).run(Local(threads=1))
    assert all(spread[run.settings["seed"]] == load_run(run.id).wave.tobytes()
               for run in list_runs() if run.sweep == "alone")  # fmt: skip


def test_a_worker_that_is_killed_costs_its_task_alone(two: Any) -> None:
    pids: set[int] = set()
    on_record = kill_the_first(pids)
    rows = open_sweep(small(SEEDS)).run(two, on_record=on_record)
    assert on_record.killed and not any(row["error"] for row in rows)  # type: ignore[attr-defined]
    assert sorted(row["seed"] for row in rows) == SEEDS["seed"]
    assert len(list_runs()) == 24 and len({run.settings["seed"] for run in list_runs()}) == 24
    assert len(pids) in (2, 3)  # the one that is left may be done before a third has come


def test_a_stop_ends_the_workers(two: Any) -> None:
    pids: set[int] = set()

    def check() -> None:
        if len(pids) == 2:
            raise Cancelled()

    with pytest.raises(Cancelled):
        open_sweep(small(SEEDS)).run(two, check=check, on_record=lambda r: pids.add(r.worker["pid"]))
    deadline = time.monotonic() + 20
    while any(
        Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text() for pid in pids
    ):
        assert time.monotonic() < deadline, "a worker lives on"
        time.sleep(0.05)
    assert 2 <= len(list_runs()) < 24


def test_a_task_that_kills_every_worker_is_given_up(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.sweeps.executors.process._serve", die)
    sweep = open_sweep(small({"seed": [0, 1]}))
    rows = sweep.run(Processes(2, 1))
    assert [row["attempts"] for row in rows] == [3, 3] and all("3 workers were lost" in row["error"] for row in rows)


def die(pipe: Any, name: str, threads: int) -> None:
    """A worker that ends as if the system had killed it."""
    pipe.recv()
    os._exit(9)


def test_a_sweep_that_is_killed_goes_on_where_it_was(tiny_home: Path, tmp_path: Path) -> None:
    lines = "\n".join(f"{name} = {value!r}" for name, value in FIXED.items())
    grid = tmp_path / "killed.toml"
    grid.write_text(f"[fixed]\n{lines}\n[grid]\nseed = {SEEDS['seed']}\n")
    command = [sys.executable, "-m", "workbench", "sweep", str(grid), "--threads", "1"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        folder, deadline = tiny_home / "sweeps" / "killed" / "trials", time.monotonic() + 120
        while len(list(folder.glob("*.json"))) < 3:
            assert first.poll() is None and time.monotonic() < deadline, "it never began"
            time.sleep(0.005)
    finally:
        first.kill()
        first.wait()
    before = {run.id for run in list_runs()}
    assert 3 <= len(before) < 24
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    after = list_runs()
    assert len(after) == 24 and before < {run.id for run in after}
    assert sorted(row["seed"] for row in find_sweep("killed").rows()) == SEEDS["seed"]


@pytest.mark.parametrize(
    ("name", "workers", "more", "named"),
    [
        ("cluster", 1, {}, "cluster"),
        ("local", 2, {}, "one worker"),
        ("process", 0, {}, "workers"),
        ("process", 2, {"threads": -1}, "threads"),
        ("process", 2, {"address": "auto"}, "address"),
    ],
)
def test_an_executor_that_cannot_be_is_refused(name: str, workers: int, more: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        executor(name, workers, **more)


def test_without_ray_its_executor_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.sweeps.executors.ray.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="requirements-cluster"):
        executor("ray", 2)


def test_one_chunk_of_a_text_is_spoken_as_within_the_run(tiny_home: Path) -> None:
    sweep = open_sweep(small({"seed": [3]}, fixed=FIXED | {"max_chunk_bytes": 12}))
    (trial,), (voice,) = sweep.trials, sweep.voices.values()
    run = EnginePool().speak(trial.request)
    tasks = [Task(str(k), trial.request, voice, chunk=c.chunk) for k, c in enumerate(run.chunks)]
    found: list[Outcome] = list(Processes(2, 1).run(tasks[::-1]))
    by_key = {outcome.key: outcome.result for outcome in found}
    assert len(by_key) == len(run.chunks) > 1
    for k, chunk in enumerate(run.chunks):
        assert np.array_equal(by_key[str(k)].wave, chunk.wave)  # type: ignore[union-attr]
