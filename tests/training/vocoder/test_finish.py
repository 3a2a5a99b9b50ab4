"""A finished vocoder answers a mel as the unfinished one answers the sharpened mel, and has no lines."""

from __future__ import annotations

import numpy as np
import torch

from tests.training.toy import NARROW
from training.demo_voice.vocoder import finish
from training.demo_voice.vocoder.network import build_vocos


def test_sharpening_raises_harmonics_keeps_envelopes_and_leaves_high_bands_alone():
    matrix = finish.sharpening(100, 2.0)
    flat, slope = torch.ones(100), torch.linspace(-8, 2, 100)
    assert torch.allclose(matrix @ flat, flat, atol=1e-5)
    assert torch.allclose((matrix @ slope)[8:90], slope[8:90], atol=1e-4), "an envelope stays"
    harmonics = torch.cos(2 * np.pi * torch.arange(100) / 4)
    found = matrix @ harmonics
    assert 1.9 < found[10:40].abs().max() < 2.2
    assert torch.equal(matrix[70:], torch.eye(100)[70:])


def test_the_folded_vocoder_is_the_plain_one_behind_the_matrix():
    torch.manual_seed(1)
    vocos, mel = build_vocos(NARROW).eval(), torch.randn(2, 100, 40)
    sharper = finish.sharpening(100, 1.5) @ mel
    with torch.no_grad():
        wanted = vocos.backbone(sharper)
        vocos.load_state_dict(finish.finished(vocos.state_dict(), 1.5))
        assert torch.allclose(vocos.backbone(mel), wanted, atol=1e-4)


def test_bins_at_the_teachers_lines_lie_between_their_neighbours_and_phases_stay():
    torch.manual_seed(1)
    state = build_vocos(NARROW).state_dict()
    state["head.out.bias"][[205, 410]] += 4  # 4,805 and 9,609 Hz
    found = finish.finished(state, 1.0)["head.out.bias"]
    changed = (found != state["head.out.bias"]).nonzero().flatten().tolist()
    assert {205, 410} <= set(changed) and max(changed) < 513, "magnitudes alone"
    assert all(min(abs(k - 204.8), abs(k - 409.6)) < 3 for k in changed)
    assert (found[[205, 410]] - state["head.out.bias"][[202, 407]]).abs().max() < 0.5


def test_without_a_gain_everything_but_the_lines_stays():
    state = build_vocos(NARROW).state_dict()
    found = finish.finished(state, 1.0)
    assert set(found) == set(state)
    assert {k for k, v in state.items() if not torch.allclose(found[k], v, atol=1e-6)} == {
        "head.out.weight",
        "head.out.bias",
    }
