"""The monitor samples the machine on the clock of its block."""

from __future__ import annotations

import threading
import time

import pytest

from workbench.engine import monitor
from workbench.engine.monitor import Monitor


def _burn(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(2000))


def test_samples_follow_the_clock_and_see_this_process_work() -> None:
    with Monitor(interval_seconds=0.05) as watched:
        began = time.perf_counter()
        _burn(0.6)
        took = time.perf_counter() - began
    at = [s.seconds for s in watched.samples]
    assert len(at) >= 3 and at == sorted(at) and at[0] > 0 and took <= at[-1] < took + 2
    assert max(s.process_cpu_percent for s in watched.samples) > 0
    assert all(0 <= s.cpu_percent <= 100 and 0 <= s.process_cpu_percent <= 100 for s in watched.samples)
    assert all(s.memory_bytes > 10**7 for s in watched.samples)
    assert all(s.gpu_percent is None and s.gpu_memory_bytes is None for s in watched.samples)


def test_the_thread_ends_with_the_block_also_when_it_fails() -> None:
    before = threading.active_count()
    with pytest.raises(RuntimeError), Monitor() as watched:
        raise RuntimeError
    assert threading.active_count() == before and watched.samples


def test_a_long_run_is_thinned_out_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MAX_SAMPLES", 8)
    with Monitor(interval_seconds=0.01) as watched:
        time.sleep(0.5)
    at = [s.seconds for s in watched.samples]
    assert len(at) <= 8 and at[-1] >= 0.5


def test_a_gpu_that_cannot_be_read_is_no_error() -> None:
    assert monitor.gpu_reader("cpu")() == (None, None)
    load, used = monitor.gpu_reader("cuda:63")()  # no machine has so many
    assert load is None and used is None
