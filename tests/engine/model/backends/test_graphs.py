"""The logic around CUDA graphs, with a recorder that calls the function again."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.engine.model.backends import variants
from tests.engine.model.backends.recording import Fake, kinds, spoken
from workbench.engine.errors import Cancelled
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.graph import Graph
from workbench.engine.model.backends.graphs import Graphs
from workbench.engine.model.backends.lean.field import Lean
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine


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


def test_the_memory_of_inputs_counts():
    graphs = Graphs(Fake(n_bytes=100), max_bytes=10_000)
    for key in range(6):
        inputs = torch.zeros(1000), torch.zeros(10), (torch.zeros(2), None)
        assert graphs.recorded(key, lambda inputs=inputs: (inputs, lambda: torch.zeros(1))).n_bytes == 4148
    assert len(graphs) == 2
