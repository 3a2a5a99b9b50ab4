"""Compute the models' mel spectrogram for references, figures and comparisons."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from workbench.engine import upstream
from workbench.engine.settings import MelConfig


@lru_cache(maxsize=4)
def _transform(config: MelConfig) -> Any:
    upstream.install()
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(
        sample_rate=config.target_sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mel_channels,
        power=1,
        center=True,
        normalized=False,
        norm=None,
    )


def mel_spectrogram(wave: np.ndarray, config: MelConfig = MelConfig()) -> np.ndarray:
    """Natural logarithm of the mel magnitudes of ``wave`` [n_samples].

    Returns:
        float32 [frames, n_mels], frames = n_samples // hop_length + 1, at least log(1e-5); same values as upstream's
        ``get_vocos_mel_spectrogram``.
    """
    import torch

    n_frames = config.frames_of(len(wave))
    wave = np.pad(wave, (0, max(0, config.n_fft // 2 + 1 - len(wave))))  # fewer samples cannot be mirrored at the ends
    transform = _transform(config)  # built outside: tensors made in inference mode cannot be used in training
    with torch.inference_mode():
        mel: torch.Tensor = transform(torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32))[None])
        return mel.clamp(min=1e-5).log()[0].T[:n_frames].contiguous().numpy()


def align_mels(
    mels: list[np.ndarray], starts: list[int], lengths: list[int], config: MelConfig, n_samples: int | None = None
) -> np.ndarray:
    """The mel of a run on the time axis of its cross-faded audio.

    Args:
        mels: mels of the chunks, each [frames, n_mels].
        starts: sample at which each chunk begins in the joined audio (``audio.cross_fade``).
        lengths: samples of each chunk.
        config: mel settings of the model.
        n_samples: length of the joined audio, if silence follows the last chunk.

    Returns:
        float32 [frames, n_mels]; frame i is centred on sample i * hop_length of the joined audio.

    Differs from upstream, which concatenates the chunks' mels, so that they end later than the audio by one cross-fade
    per chunk. Here the magnitudes of overlapping chunks are faded as the audio is.
    """
    hop = config.hop_length
    total = max(start + length for start, length in zip(starts, lengths, strict=True))
    aligned = np.full((config.frames_of(n_samples or total), mels[0].shape[1]), np.log(1e-5), dtype=np.float32)
    end = 0
    for mel, start, length in zip(mels, starts, lengths, strict=True):
        first, last = -(-start // hop), min((start + length) // hop, len(aligned) - 1)
        at = np.arange(first, last + 1)
        own = mel[np.clip(np.rint((at * hop - start) / hop).astype(int), 0, len(mel) - 1)]
        weight = np.clip((at * hop - start) / max(end - start, 1), 0, 1)[:, None] if end > start else 1.0
        before = aligned[at]
        aligned[at] = np.log(np.maximum((1 - weight) * np.exp(before) + weight * np.exp(own), 1e-5))
        end = start + length
    return aligned
