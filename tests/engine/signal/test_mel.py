"""Mels on the time axis of the audio."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.settings import MelConfig
from workbench.engine.signal.mel import align_mels, mel_spectrogram


def test_a_run_s_mel_takes_the_nearest_frame() -> None:
    config, hop = MelConfig(), MelConfig().hop_length
    second = np.arange(5.0, dtype=np.float32)[:, None].repeat(100, 1)
    start = 3 * hop - 50  # frame 3 of the run lies 50 samples into the second chunk: nearest its frame 0; frame 4: 1
    mel = align_mels([np.zeros((3, 100), np.float32), second], [0, start], [2 * hop, 4 * hop], config)
    assert mel[3, 0] == pytest.approx(0) and mel[4, 0] == pytest.approx(1)
    start = 3 * hop - 200
    mel = align_mels([np.zeros((3, 100), np.float32), second], [0, start], [2 * hop, 4 * hop], config)
    assert mel[3, 0] == pytest.approx(1)


@pytest.mark.parametrize("n_samples", [0, 1, 300, 512, 513])
def test_a_wave_shorter_than_a_window_has_a_mel(n_samples: int) -> None:
    mel = mel_spectrogram(np.full(n_samples, 0.1, np.float32))
    assert mel.shape == (n_samples // 256 + 1, 100) and np.isfinite(mel).all()
