"""Lean computes upstream's evaluation: every variant, length, guidance, solver and number of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine.model.backends import variants
from workbench.engine.errors import Cancelled
from workbench.engine.model import backends
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.lean import products
from workbench.engine.model.backends.lean.field import Lean, fits
from workbench.engine.model.sampling import solve, text_embedded
from workbench.engine.settings import SynthesisSettings

LENGTHS = (53, 64, 131, 200, 333)  # the first leaves two frames beyond the tokens


@pytest.mark.parametrize("variant", variants.VARIANTS)
@pytest.mark.parametrize("strength", [2.0, 0.0])
def test_an_evaluation_is_upstreams(variant, strength):
    model = variants.cfm(variant)
    lean = Lean(model)
    for frames in LENGTHS:
        theirs = variants.evaluated(model, frames, strength)
        ours = variants.evaluated(model, frames, strength, lean)
        assert ours.shape == theirs.shape
        assert theirs.std() > 0.01, "something is compared"
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", ["v1", "v0"])
def test_without_onednn_it_is_the_same(variant, monkeypatch):
    """Another processor, or a PyTorch that has other private operators."""
    model = variants.cfm(variant)
    monkeypatch.setattr(products, "has_onednn", lambda dtype: False)
    monkeypatch.setattr("workbench.engine.model.backends.lean.attention.has_onednn", lambda dtype: False)
    monkeypatch.setattr("workbench.engine.model.backends.lean.convolution.has_onednn", lambda dtype: False)
    lean = Lean(model)
    assert isinstance(lean.step.proj_out, products.Plain)
    ours, theirs = variants.evaluated(model, 131, 2.0, lean), variants.evaluated(model, 131, 2.0)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_operators_that_are_not_there_are_not_used(monkeypatch):
    products.has_onednn.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None)
    monkeypatch.setattr(products, "Packed", lambda *_: (_ for _ in ()).throw(RuntimeError("no such operator")))
    assert not products.has_onednn(torch.float32)
    assert isinstance(products.product(torch.eye(3), None), products.Plain)
    products.has_onednn.cache_clear()


def test_in_bf16_it_is_as_near_to_fp32_as_eager_is():
    exact = variants.evaluated(variants.cfm(), 200, 2.0)
    model = variants.cfm(dtype=torch.bfloat16)
    errors = [(variants.evaluated(model, 200, 2.0, backend) - exact).abs().mean() for backend in (Eager(), Lean(model))]
    assert errors[1] < 1.2 * errors[0]


@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4"])
@pytest.mark.parametrize("strength", [2.0, 0.0])
def test_a_whole_chunk_is_eagers(method, strength):
    """With a grid longer than the modulations that are computed at once."""
    model, mels = variants.cfm("demo voice"), []
    for backend in (Eager(), Lean(model)):
        chunk = variants.flow(model, 90, strength, backend)
        with torch.inference_mode(), text_embedded(chunk):
            found = solve(chunk, SynthesisSettings(nfe_step=9, ode_method=method), 5, 40)
        mels.append(found.mel)
    assert found.n_evaluations == 9 * {"euler": 1, "midpoint": 2, "rk4": 4}[method]
    torch.testing.assert_close(mels[1], mels[0], atol=1e-3, rtol=0)


def test_several_chunks_of_one_length_are_rows_of_one_evaluation():
    model = variants.cfm()
    chunks = [variants.flow(model, 120, 2.0), variants.flow(model, 120, 2.0, ref_frames=60)]
    x = torch.randn(2, 120, 100, generator=torch.Generator().manual_seed(1))
    for lean in (Lean(model), Lean(model, fill_up=True)):
        with torch.inference_mode():
            each = [lean.inputs(chunk) for chunk in chunks]
            rows = torch.stack([one.constants for one in each], 1).flatten(0, 1)
            places = each[0].places
            if lean.fill_up:
                whole = rows.shape[1]
                ends = [row * whole + end for row in range(4) for end in (120, whole)]
                places = places._replace(
                    valid=places.valid.repeat(2, 1, 1), bounds=torch.tensor([0, *ends], dtype=torch.int32)
                )
            filled = torch.nn.functional.pad(x, (0, 0, 0, rows.shape[1] - 120))
            m = lean.modulations((0.5,))[0]
            both = each[0]._replace(x=filled, constants=rows, m=m, places=places)
            together = lean.evaluate(both)[:, :120]
        for i, chunk in enumerate(chunks):
            with torch.inference_mode(), text_embedded(chunk):
                alone = chunk(torch.tensor(0.5), x[i : i + 1])[0]
            torch.testing.assert_close(together[i], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4"])
def test_the_demo_voice_is_eagers(demo_engine, voice, method):
    model, mels = demo_engine.loaded.cfm, []
    tokens = demo_engine.loaded.tokens(voice.ref_text + " The quick brown fox jumps.")
    for backend in (Eager(), Lean(model)):
        from workbench.engine.model.sampling import Flow

        chunk = Flow(model, torch.from_numpy(voice.mel.copy()), tokens, 600, 2.0, backend)
        with torch.inference_mode(), text_embedded(chunk):
            mels.append(solve(chunk, SynthesisSettings(nfe_step=2, ode_method=method), 5, voice.frames).mel)
    torch.testing.assert_close(mels[1], mels[0], atol=1e-3, rtol=0)


def test_a_chunk_sounds_the_same_whatever_was_spoken_before():
    """Grids, guidance and lengths of other chunks leave nothing behind; a cancelled chunk neither."""
    model = variants.cfm("demo voice")
    lean = Lean(model)

    def spoken(frames=90, strength=2.0, **changes):
        chunk = variants.flow(model, frames, strength, lean)
        with torch.inference_mode(), text_embedded(chunk):
            return solve(chunk, SynthesisSettings(**({"nfe_step": 5} | changes)), 5, 40).mel

    first = spoken()
    for steps in (7, 20, 32):
        spoken(frames=100 + steps, strength=0.0, nfe_step=steps)

    def cancel(done, total):
        if done == 2:
            raise Cancelled

    chunk = variants.flow(model, 90, 2.0, lean)
    with pytest.raises(Cancelled), torch.inference_mode(), text_embedded(chunk):
        solve(chunk, SynthesisSettings(nfe_step=5), 5, 40, on_step=cancel)
    assert torch.equal(spoken(), first)
    assert torch.equal(Lean(model).modulations((0.25, 0.5)), lean.modulations((0.25, 0.5)))
    assert len(lean._windows) <= 8


def test_the_weights_stay_upstreams():
    """Upstream's own call gives what it gave before lean copied from them."""
    model = variants.cfm("qk_norm")
    before = variants.evaluated(model, 70, 2.0)
    Lean(model)
    assert torch.equal(variants.evaluated(model, 70, 2.0), before)


def test_unett_is_left_to_others():
    from f5_tts.model.backbones.unett import UNetT

    model = UNetT(dim=32, depth=2, heads=2, text_num_embeds=5, text_dim=16, mel_dim=100)
    assert not fits(model)
    holder = type("Holder", (), {"transformer": model})
    assert backends.build("auto", holder, "cpu").name == "eager"


def test_a_choice_that_cannot_be_had_says_why(caplog):
    model = variants.cfm()
    with caplog.at_level("WARNING"):
        assert backends.build("graph", model, "cpu").name == "eager"
    assert "backend eager instead of graph: graphs exist only on cuda" in caplog.text
    assert backends.build("lean", model, "cpu").recorded == "lean"


def test_an_engine_takes_lean_on_a_cpu_and_notes_it(tiny_folder, voice):
    from tests.conftest import TINY_SPEC
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings
    from workbench.engine.speech.synthesis import Engine

    engine = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))
    quick = SynthesisSettings(nfe_step=3)
    run = engine.run("The first sentence.", voice, quick)
    assert run.environment["backend"] == "lean"
    eager = Engine(load(TINY_SPEC, LoadSettings("cpu", "fp32", "eager"), folder=tiny_folder))
    other = eager.run("The first sentence.", voice, quick)
    assert other.environment["backend"] == "eager"
    np.testing.assert_allclose(run.wave, other.wave, atol=1e-3)
