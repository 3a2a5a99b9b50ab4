"""The recipe at toy scale: a stand-in for the teacher, a few sentences, and small networks.

The teacher is a buzz whose pitch is the speaker's and whose colour is the sound's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from training.demo_voice.acoustic import network, training
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.corpus.teach import TeachJob
from training.demo_voice.teacher.alphabet import alphabet
from training.demo_voice.teacher.kokoro import FRAME
from training.demo_voice.texts.sources import TextSource
from training.demo_voice.vocoder.training import VocoderPlan
from workbench.engine.catalog import VocoderConfig

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


SENTENCES = [
    "the cat sleeps on the warm stone", "rain falls", "a small boat", "birds sing early", "we walk home at night",
    "bread and salt", "seven tall trees stand near the mill", "open the gate", "nobody knows the answer yet",
]  # fmt: skip
WORDS = ["apple", "river", "stone", "green", "jumps", "quickly", "music", "paper", "winter", "honey"]
SMALL = network.ARCH | {"dim": 64, "depth": 2, "heads": 1, "text_dim": 48, "conv_layers": 2}
NARROW = VocoderConfig(dim=32, intermediate_dim=64, num_layers=2)
LENGTHS = ((160, 0.5), (256, 0.5))


def source(seed: int = 1) -> TextSource:
    by_length: dict[int, list[str]] = {}
    for s in SENTENCES:
        by_length.setdefault(len(s.split()), []).append(s)
    return TextSource(random.Random(seed), by_length, WORDS, WORDS, ["Vienna", "Oliver"])


def load_toy(job: TeachJob) -> tuple[ToyTeacher, dict[str, np.ndarray]]:
    return ToyTeacher(), toy_styles()


def acoustic_plan(steps: int, **fields: float) -> training.AcousticPlan:
    return training.AcousticPlan(steps=steps, frames=512, lengths=LENGTHS, read_block=0, warmup=2, **fields)


def training_of(work: Path, steps: int, **fields: float) -> training.Training:
    cfm = training.begin(SMALL, None)
    return training.Training(acoustic_plan(steps, **fields), work / "acoustic", Corpus.load(work), cfm)


def small_vocoder_plan(steps: int) -> VocoderPlan:
    return VocoderPlan(
        steps=steps, rows=2, frames=64, spectral=0.34, retraced=1, retraced_frames=2048, periods=(11,), windows=(512,)
    )


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of ids [b, n] padded with -1, and their lengths [b]."""
    ids = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-1), torch.tensor([*map(len, rows)])
