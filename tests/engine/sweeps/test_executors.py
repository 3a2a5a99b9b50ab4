"""Workers in other processes: each loads once, one that dies costs its task, and what they speak is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.sweeps import hands
from tests.engine.sweeps.conftest import FIXED, small
from workbench.engine.errors import Cancelled, SettingsError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs.store import list_runs, load_run
from workbench.engine.sweeps import find_sweep, open_sweep
from workbench.engine.sweeps.executors import executor, process
from workbench.engine.sweeps.executors.local import Local
from workbench.engine.sweeps.executors.process import Processes
from workbench.engine.sweeps.worker import Outcome, Task

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
SEEDS = {"seed": list(range(24))}


@pytest.fixture(params=["process", "ray"])
def kind(request: pytest.FixtureRequest, tiny_home: Path) -> str:
    """Name of an executor with workers in other processes."""
    if request.param == "ray":
        pytest.importorskip("ray", reason="ray is not installed (requirements-cluster.txt)")
    return str(request.param)


@pytest.fixture
def two(kind: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two workers of one thread. Each speaks one task; the others wait until the test opens the gate."""
    use(monkeypatch, "Gated")
    monkeypatch.setattr("workbench.engine.sweeps.executors.ray.Worker", hands.Gated)
    return executor(kind, 2, threads=1)


def use(monkeypatch: pytest.MonkeyPatch, worker: str) -> None:
    """Let processes run a worker of ``hands``."""
    monkeypatch.setattr(process, "_MAIN", hands.__name__)
    monkeypatch.setenv("TEST_WORKER", worker)


def waves() -> dict[int, bytes]:
    """Seed of each run to its samples."""
    return {run.settings["seed"]: load_run(run.id).wave.tobytes() for run in list_runs()}


class Seen:
    """Notes the workers of the records; kills that of the second, if asked; opens the gate when ``n`` were seen."""

    def __init__(self, n: int, *, kills: bool = False) -> None:
        self.pids: set[int] = set()
        self._n, self._kills = n, kills

    def __call__(self, record: Any) -> None:
        pid = record.worker["pid"]
        if pid not in self.pids:
            self.pids.add(pid)
            if self._kills and len(self.pids) == 2:
                os.kill(pid, signal.SIGKILL)
        if len(self.pids) == self._n:
            hands.gate().touch()


def test_two_workers_load_twice_and_speak_what_one_speaks(two: Any) -> None:
    rows = open_sweep(small(SEEDS)).run(two, on_record=Seen(2))
    loads = {row["worker_pid"]: row["worker_loads"] for row in rows}
    assert len(rows) == 24 == len(list_runs()) and os.getpid() not in loads
    assert sum(loads.values()) == 2 == len(loads)
    spread = waves()
    fixed = FIXED | {"nfe_step": 1}
    open_sweep(small(SEEDS, name="alone", fixed=fixed)).run(Local(threads=1))
    assert all(spread[run.settings["seed"]] == load_run(run.id).wave.tobytes()
               for run in list_runs() if run.sweep == "alone")  # fmt: skip


def test_a_worker_that_is_killed_costs_its_task_alone(two: Any) -> None:
    seen = Seen(3, kills=True)
    rows = open_sweep(small(SEEDS)).run(two, on_record=seen)
    assert len(seen.pids) == 3 and not any(row["error"] for row in rows)
    assert sorted(row["seed"] for row in rows) == SEEDS["seed"]
    assert len(list_runs()) == 24 and len({run.settings["seed"] for run in list_runs()}) == 24
    assert sum(row["attempts"] for row in rows) in (24, 25)  # it died within a task, or between two


def test_a_stop_ends_the_workers(two: Any) -> None:
    seen = Seen(3)  # the gate stays closed: both are within their second task

    def check() -> None:
        if len(seen.pids) == 2:
            raise Cancelled()

    with pytest.raises(Cancelled):
        open_sweep(small(SEEDS)).run(two, check=check, on_record=seen)
    deadline = time.monotonic() + 20
    while any(
        Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text() for pid in seen.pids
    ):
        assert time.monotonic() < deadline, "a worker lives on"
        time.sleep(0.05)
    assert len(list_runs()) == 2


def test_a_task_that_kills_every_worker_is_given_up(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "Dying")
    sweep = open_sweep(small({"seed": [0, 1]}))
    rows = sweep.run(Processes(2, 1))
    assert [row["attempts"] for row in rows] == [3, 3] and all("3 workers were lost" in row["error"] for row in rows)


def test_what_a_worker_prints_is_no_outcome(
    tiny_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "Talking")
    (row,) = open_sweep(small({"seed": [0]})).run(Processes(1, 1))
    said = capfd.readouterr()
    assert not row["error"] and said.out == "" and "loading\nmore\n" in said.err


def test_a_worker_does_not_run_the_script_that_starts_it(tiny_home: Path, tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "print('the script runs', flush=True)\n"
        "from tests.engine.sweeps.conftest import small\n"
        "from workbench.engine.sweeps import open_sweep\n"
        "from workbench.engine.sweeps.executors.process import Processes\n"
        "rows = open_sweep(small({'seed': [0, 1]})).run(Processes(2, 1))\n"
        "print([row['error'] for row in rows])\n"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120,
                          env=os.environ | {"PYTHONPATH": root})  # fmt: skip
    assert done.stdout.splitlines() == ["the script runs", "['', '']"], done.stderr


def test_a_worker_imports_no_page() -> None:
    code = f"import {process._MAIN}, sys; print([n for n in sys.modules if n.split('.')[0] in ('streamlit', 'torch')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


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
