"""Only the adversary judges whether a voice has harmonics, and it ignores the envelope."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.demo_voice.acoustic import harmonics
from training.demo_voice.teacher.speaking import SAMPLE_RATE_HZ
from training.demo_voice.vocoder import losses
from workbench.engine.signal.mel import mel_spectrogram


def voiced(hz: float, seconds: float = 1.0, roughness: float = 0.0) -> np.ndarray:
    """Equal harmonics of `hz` to 4 kHz and a little noise; `roughness` in periods, of each period's length."""
    n = int(seconds * SAMPLE_RATE_HZ)
    draw = np.random.default_rng(int(hz))
    phase = np.cumsum(np.full(n, hz / SAMPLE_RATE_HZ))
    phase += roughness * np.interp(phase, np.arange(int(phase[-1]) + 2), draw.normal(0, 1, int(phase[-1]) + 2))
    wave = sum(np.sin(2 * np.pi * k * phase) for k in range(1, int(4000 / hz)))
    return (0.02 * wave + draw.normal(0, 1e-3, n)).astype(np.float32)


def mel_of(wave: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(mel_spectrogram(wave))[None]


def test_the_parts_are_the_whole_and_an_envelope_has_no_harmonics():
    mel = mel_of(voiced(120))
    fine, envelope = harmonics.parts(mel)
    assert torch.allclose(fine + envelope[..., : harmonics.BANDS], mel[..., : harmonics.BANDS], atol=1e-5)
    assert torch.equal(envelope[..., harmonics.BANDS :], mel[..., harmonics.BANDS :])
    ripple = [float(part[0, 10:-10, 5:25].diff(dim=1).abs().mean()) for part in (fine, envelope)]
    assert ripple[0] > 5 * ripple[1]


def test_the_adversary_moves_the_fine_structure_of_a_guess_and_nothing_else():
    torch.manual_seed(0)
    adversary, true = harmonics.Adversary(8), mel_of(voiced(110))
    guess = (true + torch.randn_like(true)).requires_grad_()
    keep = torch.ones(true.shape[:2])
    keep[:, :20] = 0
    fooled, own = harmonics.adversarial_losses(adversary, guess, true, keep)
    fooled.backward()
    assert all(p.grad is None for p in adversary.parameters()), "the model's loss is not to teach the adversary"
    assert not guess.grad[..., harmonics.BANDS :].any()
    slope = guess.grad[0, 40, : harmonics.BANDS]
    assert slope.abs().sum() > 0 and abs(float(slope[8:-8].sum())) < 0.3 * float(slope.abs().sum())
    assert not guess.grad[:, :8].any() and guess.grad[:, 30:].any(), "frames that do not count are left alone"
    before = guess.grad.clone()
    own.backward()
    assert torch.equal(guess.grad, before) and all(p.grad is not None for p in adversary.parameters())


def test_an_adversary_learns_to_tell_a_mean_of_pitches_from_a_voice_and_a_guess_to_be_one():
    torch.manual_seed(0)
    voices = torch.cat([mel_of(voiced(hz)) for hz in (98, 104, 110, 116, 122, 128)])
    blurred = voices.mean(0, keepdim=True)
    adversary, guess = harmonics.Adversary(16), blurred.clone().requires_grad_()
    keep = torch.ones(1, voices.shape[1])
    its = torch.optim.Adam(adversary.parameters(), 1e-3, betas=(0.5, 0.9))
    ours = torch.optim.Adam([guess], 0.02)
    contrast = [float(harmonics.parts(guess)[0][..., 5:25].square().mean().detach())]
    for step in range(120):
        fooled, own = harmonics.adversarial_losses(adversary, guess, voices[step % 6 : step % 6 + 1], keep)
        if step > 30:
            ours.zero_grad()
            fooled.backward()
            ours.step()
        its.zero_grad()
        own.backward()
        its.step()
    contrast.append(float(harmonics.parts(guess)[0][..., 5:25].square().mean().detach()))
    assert contrast[1] > 1.5 * contrast[0]


@pytest.mark.parametrize("hz", [80, 180])
def test_a_hoarse_voice_is_far_in_periods_and_a_louder_one_is_not(hz):
    true = torch.from_numpy(voiced(hz))[None]
    rough, noise = (torch.from_numpy(w)[None] for w in (voiced(hz, roughness=0.3), 0.3 * torch.randn(24_000).numpy()))
    lost = [float(losses.periodicity_loss(w, true)) for w in (true, 2 * true, rough, noise)]
    assert lost[0] == 0 and lost[1] < 0.01 and min(lost[2:]) > 0.05
