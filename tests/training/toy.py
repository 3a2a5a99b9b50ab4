"""A stand-in for the teacher: a buzz whose pitch depends on the speaker and whose colour depends on the sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.demo_voice.teacher import FRAME, alphabet

NAMES = ["af_one", "af_two", "am_three", "am_four", "bf_five", "bm_six"]


class ToyTeacher:
    """Says every token for some frames; those of silence and of pauses are silent."""

    def __init__(self) -> None:
        table = alphabet()
        self.silent = {0, *(table[c] for c in ".,!?: " if c in table)}
        self.pauses = self.silent - {table[" "]}

    def __call__(self, tokens: list[int], style: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        durations = np.array([max(1, round((6 if t in self.pauses else 1 + t % 2) / speed)) for t in tokens], float)
        time = np.arange(int(durations.sum()) * FRAME) / 24_000
        token = np.repeat(tokens, (durations * FRAME).astype(int))
        phase = 2 * np.pi * np.cumsum(np.full(len(time), 100 + 100 * float(style[0]))) / 24_000
        wave = sum(np.sin(k * phase) * np.cos(0.7 * k * token) / k for k in range(1, 12))
        noise = np.random.default_rng(len(tokens)).normal(0, 1e-4, len(time))
        return (0.1 * wave * ~np.isin(token, list(self.silent)) + noise).astype(np.float32), durations


def toy_styles(names: Sequence[str] = NAMES) -> dict[str, np.ndarray]:
    """A style table for each name: one pitch each."""
    return {name: np.full((510, 256), k / len(names), np.float32) for k, name in enumerate(names)}


def toy_phonemes(texts: Sequence[str], british: bool) -> list[str]:
    """Letters instead of phonemes."""
    return [text.lower() for text in texts]
