"""The logic around CUDA graphs, with a recorder that calls the function again; and on CUDA, with the real one."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter

import pytest
import torch

from tests.engine.model.backends import variants
from workbench.engine.errors import Cancelled
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.graph import Graph
from workbench.engine.model.backends.graphs import CudaRecorder, Graphs
from workbench.engine.model.backends.lean import attention, field
from workbench.engine.model.backends.lean.compiling import Compiler
from workbench.engine.model.backends.lean.field import Lean
from workbench.engine.model.devices import waiting_for
from workbench.engine.model.sampling import solve, text_embedded
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


class Fake:
    """Records by remembering: replay calls the function and writes into the same memory."""

    def __init__(self, n_bytes=1000):
        self.n_bytes, self.n_recorded, self.n_replayed = n_bytes, 0, 0
        self.tried = []

    def __call__(self, function, tried=False):
        output = function().clone()
        self.n_recorded += 1
        self.tried.append(tried)

        def replay():
            self.n_replayed += 1
            output.copy_(function())

        return replay, output, self.n_bytes


def kinds(graphs):
    """What the graphs record, and how many there are of each."""
    return Counter(key[0] for key in graphs._graphs)


def spoken(model, backend, frames=120, strength=2.0, seed=5, on_step=None, **changes):
    chunk = variants.flow(model, frames, strength, backend)
    with torch.inference_mode(), text_embedded(chunk):
        settings = SynthesisSettings(**({"nfe_step": 3} | changes))
        found = solve(chunk, settings, seed, 40, on_step=on_step)
    return found.mel, chunk


@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4"])
@pytest.mark.parametrize("strength", [2.0, 0.0])
def test_replaying_gives_eagers_samples_to_the_last_bit(method, strength):
    model, fake = variants.cfm("demo voice"), Fake()
    graph = Graph("cpu", Graphs(fake))
    for frames in (90, 120, 90):
        ours, _ = spoken(model, graph, frames, strength, ode_method=method)
        theirs, _ = spoken(model, Eager(), frames, strength, ode_method=method)
        assert torch.equal(ours, theirs)
    assert fake.n_recorded == 2, "one for each length"
    assert model.transformer.text_cond is None, "the cache of upstream is left empty"


def test_another_strength_of_guidance_is_another_graph():
    model, fake = variants.cfm(), Fake()
    graph = Graph("cpu", Graphs(fake))
    for strength in (1.0, 3.0, 1.0):
        assert torch.equal(spoken(model, graph, strength=strength)[0], spoken(model, Eager(), strength=strength)[0])
    assert fake.n_recorded == 2


@pytest.mark.parametrize("variant", variants.VARIANTS)
def test_lean_in_buckets_is_upstreams_evaluation(variant):
    model, fake = variants.cfm(variant), Fake()
    lean = Lean(model, Graphs(fake), fill_up=True)
    lengths = (53, 64, 120, 131, 150, 250)
    for strength in (2.0, 0.0, 1.0):
        for frames in lengths:
            ours = variants.evaluated(model, frames, strength, lean)
            torch.testing.assert_close(ours, variants.evaluated(model, frames, strength), atol=1e-4, rtol=1e-4)
    recorded = kinds(lean.graphs)
    assert recorded.pop("step") == 8, "64, 128, 192 and 256 frames, with and without guidance, for any strength"
    trims = variant not in ("v0", "no text blocks")
    assert recorded == ({"text": 2} if trims else {}), "with and without guidance, for any number of frames"
    assert fake.n_recorded == 8 + 2 * trims


def test_a_chunk_sounds_the_same_whatever_its_bucket_held_before():
    model = variants.cfm("demo voice")
    lean = Lean(model, Graphs(Fake()), fill_up=True)
    first, _ = spoken(model, lean, 100)
    spoken(model, lean, 127, seed=9)
    with torch.inference_mode():
        for kept in lean.graphs._graphs.values():  # a chunk of broken weights, say
            for value in kept.inputs:
                if isinstance(value, torch.Tensor):
                    value.fill_(float("nan") if value.is_floating_point() else 1)
    assert torch.equal(spoken(model, lean, 100)[0], first)
    fresh = Lean(model, Graphs(Fake()), fill_up=True)
    assert torch.equal(spoken(model, fresh, 100)[0], first)


def test_cancelling_takes_effect_within_one_step_and_leaves_nothing_behind():
    model = variants.cfm()
    for backend in (Graph("cpu", Graphs(Fake())), Lean(model, Graphs(Fake()), fill_up=True)):
        seen = []

        def stop(done, total, seen=seen):
            seen.append(done)
            if done == 2:
                raise Cancelled

        whole, _ = spoken(model, backend)
        with pytest.raises(Cancelled):
            spoken(model, backend, nfe_step=32, on_step=stop)
        assert seen == [0, 1, 2]
        assert torch.equal(spoken(model, backend)[0], whole)


def test_only_the_first_chunk_of_a_length_notes_a_capture():
    model = variants.cfm()
    for backend in (Graph("cpu", Graphs(Fake())), Lean(model, Graphs(Fake()), fill_up=True)):
        assert list(spoken(model, backend)[1].preparations) == ["capture"]
        assert spoken(model, backend)[1].preparations == {}


def test_usual_lengths_are_recorded_ahead(tiny_engine, voice):
    fake = Fake()
    lean = Lean(tiny_engine.loaded.cfm, Graphs(fake), fill_up=True)
    engine = Engine(dataclasses.replace(tiny_engine.loaded, backend=lean))
    engine.compile_ahead()
    assert kinds(lean.graphs) == {"step": len(lean.usual_frames), "text": 3, "vocoder": 4}
    n_recorded = fake.n_recorded
    run = engine.run("The first sentence.", voice, SynthesisSettings(nfe_step=2), save=False)
    assert run.chunks[0].chunk.duration_frames in range(512, 1344), "this one is usual"
    assert fake.n_recorded == n_recorded
    assert "capture" not in {span.name for span in run.spans}
    tiny_engine.compile_ahead()  # on a CPU there is nothing to be done


def test_a_run_notes_what_it_captured(tiny_engine, voice):
    lean = Lean(tiny_engine.loaded.cfm, Graphs(Fake()), fill_up=True)
    engine = Engine(dataclasses.replace(tiny_engine.loaded, backend=lean))
    runs = [engine.run("The first sentence.", voice, SynthesisSettings(nfe_step=2), save=False) for _ in range(2)]
    assert [[s.chunk_index for s in run.spans if s.name == "capture"] for run in runs] == [[0, 0], []]
    stages = {s.name: s for s in runs[0].spans if s.name in ("text", "vocoder")}
    for span, stage in zip((s for s in runs[0].spans if s.name == "capture"), ("text", "vocoder"), strict=True):
        assert stages[stage].start_seconds <= span.start_seconds
        assert span.end_seconds <= stages[stage].end_seconds


def test_the_graph_not_used_for_longest_goes_first():
    fake = Fake()
    graphs = Graphs(fake, kept=3)
    for key in ("a", "b", "c", "a", "d"):
        graphs.recorded(key, lambda: ((), lambda: torch.zeros(1)))
    assert len(graphs) == 3
    assert fake.n_recorded == 4
    graphs.recorded("a", lambda: pytest.fail("it was used after b"))
    graphs.recorded("b", lambda: ((), lambda: torch.zeros(1)))
    assert fake.n_recorded == 5


def test_graphs_are_bounded_in_memory_but_the_newest_stays():
    graphs = Graphs(Fake(n_bytes=400), kept=99, max_bytes=1000)
    for key in range(6):
        graphs.recorded(key, lambda: ((), lambda: torch.zeros(1)))
    assert len(graphs) == 2
    large = Graphs(Fake(n_bytes=4000), max_bytes=1000)
    assert large.recorded("a", lambda: ((), lambda: torch.zeros(1))) is not None
    assert len(large) == 1


@pytest.mark.parametrize("kind", ["graph", "lean"])
def test_where_recording_fails_it_goes_on_without_and_says_why_once(kind, caplog):
    asked = []

    def failing(function, tried):
        asked.append(1)
        raise RuntimeError("operation not permitted when stream is capturing\nand a long trace")

    model = variants.cfm()
    graphs = Graphs(failing)
    backend = Graph("cpu", graphs) if kind == "graph" else Lean(model, graphs)
    reference = Eager() if kind == "graph" else Lean(model)
    with caplog.at_level("WARNING"):
        for frames in (90, 120, 90):
            assert torch.equal(spoken(model, backend, frames)[0], spoken(model, reference, frames)[0])
    assert len(asked) == 1
    assert [r.getMessage() for r in caplog.records] == [
        "no CUDA graph could be recorded, going on without: RuntimeError: operation not permitted when stream is "
        "capturing"
    ]


def _counting():
    compiled = []

    def compile_nothing(module, example):
        compiled.append(module)
        return module

    return compiled, compile_nothing


def test_what_is_compiled_serves_all_layers_and_lengths(monkeypatch):
    monkeypatch.setattr("workbench.engine.model.backends.lean.products.has_onednn", lambda dtype: False)
    monkeypatch.setattr("workbench.engine.model.backends.lean.convolution.has_onednn", lambda dtype: False)
    model, (compiled, backend) = variants.cfm("v1"), _counting()
    fake = Fake()
    lean = Lean(model, Graphs(fake), Compiler(backend=backend), fill_up=True)
    notes = [spoken(model, lean, 131)[1].preparations for _ in range(2)]
    assert [sorted(note) for note in notes] == [["capture", "compile"], []]
    for frames in (131, 200, 90):
        ours = variants.evaluated(model, frames, 2.0, lean)
        torch.testing.assert_close(ours, variants.evaluated(model, frames, 2.0), atol=1e-4, rtol=1e-4)
    assert len(compiled) == 3, "what stands before the layers, one layer, what stands after"
    assert kinds(lean.graphs)["step"] == 3
    assert lean.recorded == "lean, compiled"


@pytest.mark.parametrize(("compiler", "then"), [(True, True), (False, False)])
def test_only_what_is_compiled_for_all_lengths_is_recorded_untried(compiler, then):
    model, (_, backend) = variants.cfm("v1", torch.bfloat16), _counting()
    fake = Fake()
    lean = Lean(model, Graphs(fake), Compiler(backend=backend) if compiler else None, fill_up=True)
    for frames, strength in ((131, 2.0), (131, 0.0), (200, 2.0), (200, 0.0)):
        spoken(model, lean, frames, strength)
    # a text and a step for each number of rows, then a step of each at another length
    assert fake.tried == [False] * 4 + [then] * 2


def test_heads_too_wide_for_our_kernels_are_left_to_flash_attention(monkeypatch):
    assert Lean(variants.cfm("v1"), fill_up=True).step.compiled.attend is attention.by_kernel
    monkeypatch.setattr("workbench.engine.model.backends.lean.step._WIDEST", 16)
    step = Lean(variants.cfm("v1"), fill_up=True).step
    assert step.compiled is step.plain and step.plain.attend is attention.by_sequences


def test_where_compiling_fails_lean_goes_on_without_and_says_why(caplog):
    def broken(module, example):
        raise OSError("no compiler here")

    model = variants.cfm()
    lean = Lean(model, compiler=Compiler(backend=broken), fill_up=True)
    with caplog.at_level("WARNING"):
        ours = variants.evaluated(model, 131, 2.0, lean)
    torch.testing.assert_close(ours, variants.evaluated(model, 131, 2.0), atol=1e-4, rtol=1e-4)
    assert "could not be compiled and goes on without" in caplog.text
    assert lean.recorded == "lean" and not lean.step.uses_kernels


def test_one_row_is_compiled_apart_from_two_and_noted(monkeypatch):
    monkeypatch.setattr("workbench.engine.model.backends.lean.products.has_onednn", lambda dtype: False)
    monkeypatch.setattr("workbench.engine.model.backends.lean.convolution.has_onednn", lambda dtype: False)
    model, (compiled, backend) = variants.cfm("v1"), _counting()
    lean = Lean(model, Graphs(Fake()), Compiler(backend=backend), fill_up=True)
    for strength, new in ((2.0, True), (0.0, True), (2.0, False), (0.0, False)):
        assert ("compile" in spoken(model, lean, 131, strength)[1].preparations) == new
    n_compiled = len(compiled)
    for frames in (70, 131, 200, 330):
        for strength in (0.0, 2.0):
            ours = variants.evaluated(model, frames, strength, lean)
            torch.testing.assert_close(ours, variants.evaluated(model, frames, strength), atol=1e-4, rtol=1e-4)
    assert len(compiled) == n_compiled == 6, "three pieces each, for all lengths"


def test_after_a_failed_recording_nothing_is_compiled_or_replayed(monkeypatch, caplog):
    """What was compiled for other shapes would be compiled again, which raises from then on."""
    monkeypatch.setattr("workbench.engine.model.backends.lean.products.has_onednn", lambda dtype: False)
    monkeypatch.setattr("workbench.engine.model.backends.lean.convolution.has_onednn", lambda dtype: False)
    model, (compiled, backend) = variants.cfm("v1"), _counting()
    fake = Fake()
    lean = Lean(model, Graphs(fake), Compiler(backend=backend), fill_up=True)
    plain = Lean(model, fill_up=True)
    spoken(model, lean, 131)
    fake.broken = "RuntimeError: a recording of another engine"
    with caplog.at_level("WARNING"):
        for frames, strength in ((131, 2.0), (150, 0.0)):
            ours, theirs = spoken(model, lean, frames, strength)[0], spoken(model, plain, frames, strength)[0]
            assert torch.equal(ours, theirs)
    assert len(compiled) == 3 and len(lean.graphs) == 0 and lean.recorded == "lean"
    assert [r.getMessage() for r in caplog.records if r.name == "workbench.backends"] == [
        "no CUDA graph could be recorded, going on without: RuntimeError: a recording of another engine"
    ]


@pytest.mark.parametrize("error", [OSError("no compiler"), RuntimeError("a limit"), TypeError("arguments")])
def test_whatever_fails_in_the_compiler_lean_goes_on_without(error, caplog):
    def broken(module, example):
        raise error

    model = variants.cfm()
    lean, plain = Lean(model, compiler=Compiler(backend=broken), fill_up=True), Lean(model, fill_up=True)
    with caplog.at_level("WARNING"):
        for frames in (131, 150):
            assert torch.equal(spoken(model, lean, frames)[0], spoken(model, plain, frames)[0])
    assert caplog.text.count("could not be compiled") == 1


def test_the_memory_of_inputs_counts():
    graphs = Graphs(Fake(n_bytes=100), max_bytes=10_000)
    for key in range(6):
        inputs = torch.zeros(1000), torch.zeros(10), (torch.zeros(2), None)
        assert graphs.recorded(key, lambda inputs=inputs: (inputs, lambda: torch.zeros(1))).n_bytes == 4148
    assert len(graphs) == 2


def test_flash_attention_is_tried_before_it_is_used(monkeypatch):
    attention.has_flash.cache_clear()
    assert attention.has_flash("cpu", torch.bfloat16, 64) and attention.has_flash("cpu", torch.float16, 40)
    model = variants.cfm("v1", torch.bfloat16)
    asked = []
    monkeypatch.setattr(field, "has_flash", lambda *given: bool(asked.append(given)))
    assert not field.lean_on_cuda(model, "cuda:1").fill_up
    assert asked == [("cuda:1", torch.bfloat16, 32)]
    assert not field.lean_on_cuda(variants.cfm("v1"), "cuda:1").fill_up and len(asked) == 1, "fp32 it cannot"
    attention.has_flash.cache_clear()

    def missing(*given):
        raise TypeError("_flash_attention_forward() got an unexpected keyword argument")

    right = attention.flash
    sides = iter((right, lambda *given: right(*given).flip(0)))
    monkeypatch.setattr(attention, "flash", lambda *given: next(sides)(*given))
    assert not attention.has_flash("cpu", torch.bfloat16, 32), "another result than the CPU's"
    monkeypatch.setattr(attention, "flash", missing)
    assert not attention.has_flash("cpu", torch.bfloat16, 64)
    attention.has_flash.cache_clear()


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
