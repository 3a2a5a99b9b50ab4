"""What is compiled serves all layers and lengths; where compiling fails, lean goes on without."""

from __future__ import annotations

import pytest
import torch

from tests.engine.model.backends import variants
from tests.engine.model.backends.recording import Fake, kinds, spoken
from workbench.engine.model.backends.graphs import Graphs
from workbench.engine.model.backends.lean import attention, field
from workbench.engine.model.backends.lean.compiling import Compiler
from workbench.engine.model.backends.lean.field import Lean


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
