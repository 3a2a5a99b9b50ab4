"""One utterance by the teacher: the phone of every mel frame, the silence around it, its level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.demo_voice.teacher.alphabet import alphabet
from training.demo_voice.teacher.kokoro import FRAME, Teacher
from training.demo_voice.teacher.voices import Speaker, style

HOP, SAMPLE_RATE_HZ = 256, 24_000
LEVEL = 0.11  # root mean square of what is spoken
LEAD_FRAMES, TAIL_FRAMES = 14, 40  # of the teacher's own silence, kept around an utterance
_LOUD = 0.02  # of the louder frames' level: speech
_BEFORE, _AFTER = "ˈˌ", "ːʰʲ̃"  # signs that belong to the sound behind them, before them


def frame_phones(tokens: list[int], durations: np.ndarray, n_frames: int) -> np.ndarray:
    """Token of each mel frame i16 [n_frames]: stress marks count as the sound behind, length marks as that before."""
    table = alphabet()
    behind, ahead = ({table[c] for c in signs if c in table} for signs in (_BEFORE, _AFTER))
    labels = list(tokens)
    for k in range(len(labels) - 2, -1, -1):
        if labels[k] in behind:
            labels[k] = labels[k + 1]
    for k in range(1, len(labels)):
        if labels[k] in ahead:
            labels[k] = labels[k - 1]
    at = np.searchsorted(np.cumsum(durations) * FRAME, np.arange(n_frames) * HOP, side="right")
    return np.array(labels, np.int16)[np.minimum(at, len(labels) - 1)]


def frame_levels(wave: np.ndarray) -> np.ndarray:
    """Root mean square of each whole frame of 256 samples [n_samples // 256]."""
    n = len(wave) // HOP
    return np.sqrt(np.square(wave[: n * HOP]).reshape(n, HOP).mean(1))


@dataclass(frozen=True)
class Trimmed:
    """An utterance with some of its own silence around it, at a level; all counts are frames of 256 samples.

    Attributes:
        wave: f32 [frames * 256]. first: its first frame in the whole. start, end: of the speech in it.
    """

    wave: np.ndarray
    first: int
    start: int
    end: int


def trimmed(wave: np.ndarray, level: float = LEVEL) -> Trimmed:
    """Cut the silence around speech to `LEAD_FRAMES` and `TAIL_FRAMES`, and bring it to a level."""
    loudness = frame_levels(wave)
    loud = np.flatnonzero(loudness > _LOUD * np.quantile(loudness, 0.95))
    start, end = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(loudness))
    first, last = max(0, start - LEAD_FRAMES), min(len(loudness), end + TAIL_FRAMES)
    spoken = wave[start * HOP : end * HOP]
    gain = min(level / max(float(np.sqrt(np.mean(spoken**2))), 1e-6), 0.95 / max(float(np.abs(spoken).max()), 1e-6))
    return Trimmed((wave[first * HOP : last * HOP] * gain).astype(np.float32), first, start - first, end - first)


def say(
    teacher: Teacher, styles: dict[str, np.ndarray], speaker: Speaker, tokens: list[int], speed: float = 1.0
) -> np.ndarray:
    """One utterance f32 [n_samples] with 6 frames of silence before and 8 behind it, for references and tests."""
    full = [0, *tokens, 0]
    wave, _ = teacher(full, style(speaker, styles, len(full)), speed)
    found = trimmed(wave)
    return found.wave[max(0, found.start - 6) * HOP : (found.end + 8) * HOP]
