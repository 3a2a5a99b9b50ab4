"""The truth moved onto a guess: it finds a rhythm that is only shifted, and does not explain a missing phone away."""

from __future__ import annotations

import torch

from training.demo_voice.rhythm import REACH, matching_frames


def speech(n: int) -> torch.Tensor:
    return (torch.randn(2, n, 100, generator=torch.Generator().manual_seed(0)).cumsum(1) * 0.3).float()


def test_a_wobble_is_followed_and_the_reference_stays() -> None:
    mel, here = speech(200), torch.arange(200)
    wobble = (here + (3 * torch.sin(here / 30)).round().long()).clamp(0, 199)
    masked = here.expand(2, -1) >= 50
    found = matching_frames(mel[:, wobble], mel, masked)
    assert torch.equal(found[:, :50], here[:50].expand(2, -1))
    assert (found - wobble)[:, 60:].abs().float().mean() < 0.5


def test_a_path_stays_near_never_goes_back_and_never_leaves_what_is_masked() -> None:
    mel, guess, here = speech(120), speech(120).flip(1), torch.arange(120)
    masked = (here >= 20).expand(2, -1)
    found = matching_frames(guess, mel, masked)
    assert (found - here).abs().max() <= REACH
    assert (found[:, 20:].diff(dim=1) >= 0).all() and (found[:, 20:] >= 20).all()


def test_the_same_speech_is_not_moved() -> None:
    mel = speech(80)
    assert torch.equal(matching_frames(mel, mel, torch.ones(2, 80, dtype=torch.bool)), torch.arange(80).expand(2, -1))
