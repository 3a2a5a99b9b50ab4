"""Graphs and compiled operations with the real CUDA."""

from __future__ import annotations

import threading

import pytest
import torch

from tests.engine.model.backends import variants
from tests.engine.model.backends.recording import needs_cuda, spoken
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.graph import Graph
from workbench.engine.model.backends.graphs import CudaRecorder, Graphs
from workbench.engine.model.devices import waiting_for


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_cuda_a_graph_gives_eagers_samples_to_the_last_bit(dtype):
    model = variants.cfm("demo voice", dtype).to("cuda")
    graph = Graph("cuda")
    for frames in (90, 200, 90):
        assert torch.equal(spoken(model, graph, frames)[0], spoken(model, Eager(), frames)[0])
    assert not graph.graphs.failure


@needs_cuda
def test_on_cuda_lean_is_eager_and_grows_no_further():
    from workbench.engine.model.backends.lean.field import lean_on_cuda

    model = variants.cfm("demo voice", torch.bfloat16).to("cuda")
    lean = lean_on_cuda(model, "cuda")
    for frames in (90, 200, 90):
        ours, theirs = spoken(model, lean, frames)[0], spoken(model, Eager(), frames)[0]
        assert (ours - theirs).abs().mean() < 0.05
    first = torch.cuda.memory_allocated()
    for frames in (100, 190, 66):
        spoken(model, lean, frames)
    assert torch.cuda.memory_allocated() <= first + 2**20
    assert not lean.graphs.failure
    assert lean.recorded == "lean, compiled"


@needs_cuda
def test_on_cuda_the_pool_survives_its_graphs():
    graphs, x = Graphs(CudaRecorder("cuda"), kept=1), torch.ones(4, device="cuda")
    for key in range(3):
        found = graphs.recorded(key, lambda key=key: (x, lambda: x * key))
        found.replay()
        assert found.output.tolist() == [key] * 4


@needs_cuda
def test_on_cuda_others_may_wait_for_the_device_while_graphs_are_recorded():
    graphs, x, done = Graphs(CudaRecorder("cuda")), torch.ones(4, device="cuda"), threading.Event()
    wait = waiting_for("cuda")

    def keep_waiting():
        while not done.is_set():
            wait()

    threads = [threading.Thread(target=keep_waiting) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for key in range(30):
            found = graphs.recorded(key, lambda key=key: (x, lambda: x * key))
            found.replay()
            assert found.output.tolist() == [key] * 4
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not graphs.failure
