"""A ring and a click are found where they are, and speech-like noise has neither."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.demo_voice.teacher.speaking import HOP, SAMPLE_RATE_HZ
from training.demo_voice.vocoder import artefacts

SECONDS = 4


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, SECONDS * SAMPLE_RATE_HZ).astype(np.float32)


def repeated(every: int) -> np.ndarray:
    """A noise that comes again after `every` samples."""
    once = np.random.default_rng(2).normal(0, 0.1, every)
    return np.resize(once, SECONDS * SAMPLE_RATE_HZ).astype(np.float32)


def test_noise_does_not_ring_and_what_repeats_with_the_frames_does(noise):
    assert abs(artefacts.ring_decibels([noise])) < 1
    assert artefacts.ring_decibels([noise + 0.5 * repeated(HOP)]) > 4
    assert artefacts.ring_decibels([repeated(HOP), repeated(HOP)]) > 20


def test_a_pitch_is_no_ring(noise):
    time = np.arange(len(noise)) / SAMPLE_RATE_HZ
    voiced = sum(np.sin(2 * np.pi * 131 * k * time) for k in range(1, 80)).astype(np.float32)
    assert artefacts.ring_decibels([noise + 0.01 * voiced]) < 3


def test_what_is_too_short_tells_nothing(noise):
    assert np.isnan(artefacts.ring_decibels([noise[:4000]]))


def test_the_loss_finds_lines_at_every_second_frame_too_and_falls_with_them(noise):
    true = torch.from_numpy(noise)[None]
    lost = [
        float(artefacts.ring_loss(torch.from_numpy(noise + share * repeated(every))[None], true))
        for share, every in ((1.0, HOP), (0.3, HOP), (0.0, HOP), (1.0, 2 * HOP))
    ]
    assert lost[0] > lost[1] > lost[2] == 0 and lost[3] > 0.5


def test_a_ring_can_be_trained_away(noise):
    true, wave = torch.from_numpy(noise)[None], torch.from_numpy(noise + repeated(HOP))[None].requires_grad_()
    optimizer = torch.optim.Adam([wave], 0.005)
    found = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = artefacts.ring_loss(wave, true)
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert np.isfinite(found).all() and found[-1] < 0.5 * found[0]


def test_clicks_are_counted_once_each(noise):
    smooth = np.convolve(noise, np.hanning(64) / 32, "same").astype(np.float32)
    assert artefacts.clicks(smooth) == 0
    for at in (20_000, 50_000, 70_000):
        smooth[at:] += 0.2  # a step, as where two waves are joined badly
    assert artefacts.clicks(smooth) == 3
