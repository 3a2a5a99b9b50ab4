"""What is recorded stays on its device: nothing is read back from it, made elsewhere, or of another format.

On tensors without values: reading one of them raises, as it would in a recording. Their device is not the CPU, so the
operations are those of a GPU.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.engine.model.backends import variants
from workbench.engine.model.backends.graph import Graph
from workbench.engine.model.backends.graphs import Graphs, unnoted
from workbench.engine.model.backends.lean.field import Lean
from workbench.engine.model.random_weights import fill
from workbench.engine.model.sampling import text_embedded


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch):
    """It knows no device without values; upstream only ever turns it off."""
    monkeypatch.setattr("x_transformers.x_transformers.autocast", lambda device, enabled: nullcontext())


class OnDevice(TorchDispatchMode):
    """Refuses operations that touch another device; keeps the formats in which it multiplies."""

    def __init__(self):
        super().__init__()
        self.formats = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, made)) if isinstance(leaf, torch.Tensor)]
        assert {tensor.device.type for tensor in tensors} <= {"meta"}, f"{function} leaves the device"
        assert "lift_fresh" not in str(function), "a tensor is made from numbers, which is a copy that waits"
        if any(name in str(function) for name in ("mm", "linear", "convolution", "flash")):
            self.formats |= {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
        return made


class Strict:
    """Records nothing; calls the function where it may not leave the device."""

    def __init__(self):
        self.seen = []

    def __call__(self, function, tried=False):
        with OnDevice() as mode:
            output = function()
        self.seen.append((output, mode.formats))
        return (lambda: None), output, 0


def evaluated(backend, model, strength, frames=131):
    chunk = variants.flow(model, frames, strength, backend)
    x = torch.zeros(1, chunk.n_frames, 100, device="meta")
    with torch.inference_mode(), text_embedded(chunk):
        chunk.field._times = [0.1, 0.5]
        return chunk(torch.zeros((), device="meta"), x)


@pytest.mark.parametrize("strength", [2.0, 0.0])
@pytest.mark.parametrize("variant", variants.VARIANTS)
def test_lean(variant, strength):
    model, strict = variants.cfm(variant, torch.bfloat16).to("meta"), Strict()
    lean = Lean(model, Graphs(strict), fill_up=True)
    made = evaluated(lean, model, strength)
    assert made.shape == (1, 131, 100) and made.dtype == torch.float32 and not lean.graphs.failure
    *texts, (step, formats) = strict.seen
    assert step.shape == (1, 192, 100) and formats == {torch.bfloat16}, "no product of a step is in fp32"
    assert [text.shape[1] for text, _ in texts] == ([128] if lean.text.trims else [])


@pytest.mark.parametrize("strength", [2.0, 0.0])
@pytest.mark.parametrize("variant", [name for name in variants.VARIANTS if name != "demo voice"])
def test_graph(variant, strength):
    """Not the demo voice, whose text upstream cannot embed without reading lengths; that is not recorded."""
    model, strict = variants.cfm(variant, torch.bfloat16).to("meta"), Strict()
    graph = Graph("meta", Graphs(strict))
    assert evaluated(graph, model, strength).shape == (1, 131, 100) and not graph.graphs.failure
    ((step, _),) = strict.seen
    assert step.shape == (1, 131, 100)


def test_vocoder():
    from tests.conftest import TINY_VOCOS
    from workbench.engine.model.weights import vocos_of

    vocoder = fill(vocos_of(TINY_VOCOS), 1).to("meta")
    strict = Strict()
    lean = Lean(variants.cfm(), Graphs(strict))
    vocoder.head = torch.nn.Identity()
    with torch.inference_mode():
        lean.decode(vocoder, torch.zeros(150, 100, device="meta"), unnoted)
    ((features, formats),) = strict.seen
    assert features.shape[:2] == (1, 256) and formats == {torch.float32} and not lean.graphs.failure
