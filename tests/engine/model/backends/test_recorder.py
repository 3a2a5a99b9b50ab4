"""What the recorder asks of CUDA, and in which order, by a CUDA that writes down what it is asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from workbench.engine.model.backends import graphs
from workbench.engine.model.backends.graphs import CudaRecorder, Graphs
from workbench.engine.model.capturing import COMPILING, RECORDING
from workbench.engine.model.devices import waiting_for


def is_held(lock):
    """Whether this thread keeps others from ``lock``."""
    free = []
    thread = threading.Thread(target=lambda: free.append(lock.acquire(blocking=False) and (lock.release() or True)))
    thread.start()
    thread.join()
    return not free[0]


@pytest.fixture
def cuda(monkeypatch):
    """The calls so far; ``fails`` makes the end of a recording raise, ``grows`` is what each adds to the memory."""
    found = SimpleNamespace(calls=[], fails=False, grows=0, reserved=0, streams=["default"])
    note = found.calls.append

    class Stream:
        def __init__(self, name="side"):
            self.name = name

        def wait_stream(self, other):
            note(f"{self.name} waits for {other.name}")

        def synchronize(self):
            note("synchronize")

    class Graph:
        def capture_begin(self, pool, capture_error_mode):
            assert is_held(RECORDING) and is_held(COMPILING) and found.streams[-1] == "side"
            note(f"begin in pool {pool}, {capture_error_mode}")
            self.own = pool or f"of graph {len(found.calls)}"

        def capture_end(self):
            note("end")
            found.reserved += found.grows
            if found.fails:
                raise RuntimeError("capture was invalidated")

        def pool(self):
            return self.own

        def replay(self):
            note("replay")

    @contextmanager
    def stream(entered):
        found.streams.append(entered.name)
        try:
            yield
        finally:
            found.streams.pop()

    @contextmanager
    def device(chosen):
        note(f"device {chosen}")
        yield

    def empty_cache():
        assert is_held(RECORDING)
        note("empty cache")

    fakes = {
        "Stream": Stream, "CUDAGraph": Graph, "stream": stream, "device": device, "empty_cache": empty_cache,
        "current_stream": lambda device=None: Stream(found.streams[-1]), "memory_reserved": lambda: found.reserved,
    }  # fmt: skip
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch, "zeros", lambda *size, **where: None)
    monkeypatch.setattr(CudaRecorder, "broken", "")
    return found


def test_a_function_is_tried_then_recorded_on_a_stream_and_in_a_pool_of_its_own(cuda):
    record = CudaRecorder("cuda:1")
    replay, output, n_bytes = record(lambda: cuda.calls.append("run") or 7)
    assert cuda.calls == [
        "device cuda:1",
        "side waits for default", "synchronize", "begin in pool None, thread_local", "end", "default waits for side",
        "side waits for default", "run", "synchronize", "begin in pool of graph 4, thread_local", "run", "end",
        "default waits for side",
    ]  # fmt: skip
    assert (output, n_bytes) == (7, 0)
    replay()
    assert cuda.calls[-1] == "replay" and not is_held(RECORDING) and not is_held(COMPILING)
    del cuda.calls[:]
    record(lambda: 8)
    assert [c for c in cuda.calls if "begin" in c] == ["begin in pool of graph 4, thread_local"], "one pool for all"
    assert cuda.streams == ["default"]


def test_what_needs_no_trial_is_recorded_at_once_and_may_load_kernels(cuda):
    record = CudaRecorder("cuda:1")
    record(lambda: 7)
    del cuda.calls[:]
    record(lambda: cuda.calls.append("run") or 8, tried=True)
    assert cuda.calls == [
        "device cuda:1", "side waits for default", "begin in pool of graph 4, relaxed", "run", "end",
        "default waits for side",
    ]  # fmt: skip


def test_a_pool_that_has_grown_too_large_is_left_for_a_new_one(cuda, monkeypatch):
    monkeypatch.setattr(graphs, "MAX_BYTES", 1000)
    record, pools = CudaRecorder("cuda"), []
    cuda.grows = 400
    for _ in range(6):
        del cuda.calls[:]
        record(lambda: 1)
        pools.append([c for c in cuda.calls if "begin" in c][-1])
    assert len(set(pools)) == 2 and pools[:3] == pools[:1] * 3 and pools[3:] == pools[3:4] * 3
    assert "empty cache" not in cuda.calls


def test_a_failed_recording_is_ended_and_ends_all_others(cuda, caplog):
    first, second = Graphs(CudaRecorder("cuda")), Graphs(CudaRecorder("cuda"))
    assert second.recorded("a", lambda: ((), lambda: 1)) is not None
    cuda.fails = True

    def waits_for_the_gpu():
        if cuda.calls[-1].startswith("begin"):
            raise RuntimeError("operation not permitted when stream is capturing\nlong")
        return 1

    first._record._anchor = SimpleNamespace(pool=lambda: "p")  # recorded before
    first._record._stream = torch.cuda.Stream()
    with caplog.at_level("WARNING"):
        assert first.recorded("a", lambda: ((), waits_for_the_gpu)) is None
        assert cuda.calls[-1] == "end"
        assert second.recorded("a", lambda: ((), lambda: 1)) is None, "its generators are in disorder too"
    told = "no CUDA graph could be recorded, going on without: RuntimeError: operation not permitted when stream is "
    assert [r.getMessage() for r in caplog.records] == [told + "capturing"] * 2
    assert not is_held(RECORDING) and cuda.streams[-1] == "default"


def test_where_the_trial_fails_nothing_is_recorded(cuda):
    def missing():
        raise TypeError("no such operator")

    record = CudaRecorder("cuda")
    record(lambda: 1)
    del cuda.calls[:]
    with pytest.raises(TypeError):
        record(missing)
    assert not any("begin" in call for call in cuda.calls) and CudaRecorder.broken == ""


def test_nobody_waits_for_a_device_while_a_graph_is_recorded(monkeypatch):
    """It would end the recording with an error, from any thread."""
    waited, wait = [], None
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waited.append((device, is_held(RECORDING))))
    wait = waiting_for("cuda:1")
    with RECORDING:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.05)
        assert waited == []
    thread.join()
    assert waited == [("cuda:1", True)]
    assert waiting_for("cpu") is None
