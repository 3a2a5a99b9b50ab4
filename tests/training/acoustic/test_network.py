"""Training's shortcuts through upstream's networks give the same results."""

from __future__ import annotations

import pytest
import torch

from tests.training.toy import padded
from training.demo_voice.acoustic import network
from training.demo_voice.acoustic.optim import Muon, orthogonalize
from training.demo_voice.texts import characters

ARCH = network.ARCH | {"dim": 64, "depth": 2, "heads": 1, "text_dim": 32, "conv_layers": 2}


@pytest.fixture(scope="module")
def cfm():
    torch.manual_seed(0)
    model = network.build_cfm(ARCH)
    with torch.no_grad():
        for p in model.parameters():  # upstream starts many at zero, which would hide a difference
            p.add_(torch.randn_like(p) * 0.05)
    return model.eval()


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("n_frames", [120, 133, 40])
def test_characters_first_equals_upstreams_text_embedding(cfm, drop, n_frames):
    ids, n_chars = padded([characters.tokens("Hello there, my friend. How?")])
    with torch.no_grad():
        theirs = cfm.transformer.text_embed(ids, n_frames, drop_text=drop)
        encoded = network.encode_characters(
            cfm.transformer.text_embed, ids, n_chars, torch.tensor([n_frames]), torch.tensor([drop])
        )
        ours = network.upsample(encoded, n_chars, n_frames)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_rows_of_a_batch_do_not_disturb_each_other(cfm):
    rows = [characters.tokens(t) for t in ("Hi.", "A much longer text than that.")]
    ids, n_chars = padded(rows)
    frames = torch.tensor([90, 140])
    with torch.no_grad():
        both = network.encode_characters(cfm.transformer.text_embed, ids, n_chars, frames)
        for k, row in enumerate(rows):
            one, n = padded([row])
            alone = network.encode_characters(cfm.transformer.text_embed, one, n, frames[k : k + 1])[0, : len(row)]
            assert torch.allclose(both[k, : len(row)], alone, atol=1e-4)


@pytest.mark.parametrize("drop", [False, True])
def test_velocity_equals_upstreams_forward(cfm, drop):
    ids, n_chars = padded([characters.tokens("One small step.")])
    x, cond = torch.randn(1, 77, 100), torch.randn(1, 77, 100)
    time = torch.tensor([0.3])
    with torch.no_grad():
        theirs = cfm.transformer(x=x, cond=cond, text=ids, time=time, drop_text=drop)
        encoded = network.encode_characters(
            cfm.transformer.text_embed, ids, n_chars, torch.tensor([77]), torch.tensor([drop])
        )
        ours, middle = network.velocity(cfm.transformer, x, cond, network.upsample(encoded, n_chars, 77), time, 0)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert middle.shape == (1, 77, 64)


def test_orthogonalize_evens_out_singular_values():
    x = torch.randn(3, 20, 50) * torch.logspace(-1, 1, 50)
    values = torch.linalg.svdvals(orthogonalize(x, steps=6))
    assert values.max() < 1.5 and values.min() > 0.4


def test_muon_lowers_a_quadratic():
    torch.manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(8, 12))
    target = torch.randn(8, 12)
    optimizer = Muon([weight], lr=0.3)
    first = None
    for step in range(200):
        loss = (weight - target).square().mean()
        first = first or loss.item()
        weight.grad = None
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimizer.step()
    assert loss.item() < 0.02 * first


@pytest.mark.parametrize("n_frames", [60, 300])
def test_plain_attention_equals_the_fused_one_and_goes_away(cfm, n_frames):
    x, t = torch.randn(2, n_frames, 100), torch.rand(2)
    fused = torch.nn.functional.scaled_dot_product_attention
    text = torch.randn(2, n_frames, 32)
    with torch.no_grad():
        theirs, _ = network.velocity(cfm.transformer, x, x, text, t, 0)
        with network.plain_attention(longest=200):
            assert torch.nn.functional.scaled_dot_product_attention is not fused
            ours, _ = network.velocity(cfm.transformer, x, x, text, t, 0)
    assert torch.nn.functional.scaled_dot_product_attention is fused
    assert torch.allclose(ours, theirs, atol=1e-4)
